import { formatAllocator } from '../../../../allocators/spec.ts';
import { UserError } from '../../../../sim/contract/assert.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { isTimed } from '../../../run/machine-shape.ts';
import type { RunResult } from '../../../run/result.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { Runner } from '../../parallel/run-all.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import { shapeOf } from '../../parallel/task-shape.ts';
import type { RunTimes } from '../explanation.ts';
import { createLayouts, inLayout } from './layouts.ts';
import { keepsOrder, sharesHeaps } from './orders.ts';
import { fewOf, otherOrders, otherSeeds } from './other-orders.ts';
import { callsOf, type OrderRange, startingState, type Trial, taskOf, upTo } from './what-if.ts';

/** A run in virtual time. */
export interface Timed {
  readonly times: RunTimes;
  /** The same in other orders, one after the other as they are run of any setting; null for one that is left out. */
  readonly inOrders?: readonly (RunTimes | null)[];
  /** What it leaves in the orders of the threads' calls that were run; null where they came too far out of the trace's order, or there is one. */
  readonly orders: OrderRange | null;
}

/** In how many other orders a setting is run of which threads come to share heaps. */
export type Orders = 'few' | 'all';

/** Runs in virtual time of settings, or of none (null: as it is), each begun by whoever asks for it first; undefined where virtual time does not take the events. */
export interface Timings {
  /** In other orders too, each in a layout of its own, where threads come to share heaps; else in other layouts where these matter. */
  of(trial: Trial, orders: Orders): Promise<Timed | undefined>;
  /** The same of the run as it is, in what any of these is run in. */
  asItIs(against: readonly Trial[]): Promise<Timed | undefined>;
  /** By the runs that have ended, in whatever orders; undefined as long as the timed one has not. */
  soFar(trial: Trial | null): Timed | undefined;
  /** What it leaves, and what the run as it is does, by chance once more: with other seeds where threads come to share heaps, else in other layouts where these matter. */
  again(trial: Trial): Promise<readonly [OrderRange | null, OrderRange | null]>;
  /** That of a setting and as it is, for whoever will ask; null: as it is alone. */
  begin(trial: Trial | null, orders?: Orders): void;
  /** Whether it is run in the machine of the run as it is. */
  isOfOneShape(trial: Trial): boolean;
  /** `heardOf` is called after each run. */
  onRun(heardOf: () => void): void;
}

/** Up to row `end`. */
export function createTimings(options: RunOptions, end: number, runner: Runner): Timings {
  const { events } = options;
  const threads = events.threadSlots;
  const taskIn = (trial: Trial | null) => (trial ? timedTrial(options, trial) : timedAsItIs(options, end));
  /** What starts in the same state is one run. */
  const stateOf = (trial: Trial | null): string => (trial ? startingState(options, trial) : '');
  const ended = new Map<string, { first: RunResult | undefined; readonly others: RunResult[] }>();
  let tell = () => {};

  function endedOf(trial: Trial | null) {
    const known = ended.get(stateOf(trial)) ?? { first: undefined, others: [] };
    ended.set(stateOf(trial), known);
    return known;
  }

  function onceForEach<T>(run: (trial: Trial | null) => Promise<T>): (trial: Trial | null) => Promise<T> {
    const begun = new Map<string, Promise<T>>();
    return (trial) => {
      const state = stateOf(trial);
      const one = begun.get(state) ?? heard(run(trial));
      begun.set(state, one);
      return one;
    };
  }

  const first = onceForEach(async (trial) => {
    const result = await runTimed(taskIn(trial), runner);
    endedOf(trial).first = result;
    tell();
    return result;
  });

  async function inOther(trial: Trial | null, task: RunTask): Promise<RunResult | undefined> {
    const result = await runTimed(task, runner);
    if (result) endedOf(trial).others.push(result);
    tell();
    return result;
  }
  const ordersOf = (trial: Trial | null): RunTask[] =>
    otherOrders(taskIn(trial), upTo(events, end), trial === null).map((task, i) => inLayout(task, i + 1));
  const inThese = (trial: Trial | null, tasks: readonly RunTask[]) =>
    Promise.all(tasks.map((task) => inOther(trial, task)));
  /** As it is in all: what others are held against. */
  const fewFor = (trial: Trial | null): RunTask[] => (trial ? fewOf(ordersOf(trial)) : ordersOf(trial));
  const inFew = onceForEach((trial) => inThese(trial, fewFor(trial)));
  const inMore = onceForEach((trial) => inThese(trial, ordersOf(trial).slice(fewFor(trial).length)));
  const inFileOrder = (trial: Trial | null) => trial?.task ?? taskOf(options, end, formatAllocator(options.spec));
  const layouts = createLayouts(upTo(events, end));
  const inLayouts = onceForEach((trial) =>
    Promise.all(layouts.others(inFileOrder(trial), 0).map((task) => inOther(trial, task))),
  );

  const timedBy = (run: RunResult, inOthers: readonly RunResult[]): Timed => ({
    times: timesOf(run, threads),
    inOrders: inOthers
      .filter(({ run: { mode } }) => mode === 'virtual')
      .map((other) => (keepsOrder(other, events) ? timesOf(other, threads) : null)),
    orders: threads > 1 || inOthers.length > 0 ? rangeOf([run, ...inOthers], options) : null,
  });

  /** Its own order comes first: what is timed next is guessed from that. */
  async function together(trial: Trial | null, others: () => readonly Promise<Ended>[]): Promise<Timed | undefined> {
    const [run, ...more] = await Promise.all([first(trial), ...others()]);
    const inOthers = whole(more.flat());
    return run && inOthers && timedBy(run, inOthers);
  }

  const isInOrders = (trial: Trial) => threads > 1 && sharesHeaps(trial);
  const inOrders = (trial: Trial, orders: Orders) => [inFew(trial), ...(orders === 'all' ? [inMore(trial)] : [])];
  const of = (trial: Trial, orders: Orders) =>
    together(trial, () => (isInOrders(trial) ? inOrders(trial, orders) : [inLayouts(trial)]));
  const asItIs = (against: readonly Trial[]) =>
    together(null, () => [
      ...(against.some(isInOrders) ? [inFew(null)] : []),
      ...(against.every(isInOrders) ? [] : [inLayouts(null)]),
    ]);

  const rangeIn = (chances: (trial: Trial | null) => readonly RunTask[]) =>
    onceForEach(async (trial) => {
      const ends = whole(await Promise.all(chances(trial).map((task) => runTimed(task, runner))));
      return ends ? rangeOf(ends, options) : null;
    });
  const withSeeds = rangeIn((trial) => (threads > 1 ? otherSeeds(taskIn(trial)) : []));
  const inMoreLayouts = rangeIn((trial) => layouts.others(inFileOrder(trial), 1));

  return {
    of,
    asItIs,
    soFar(trial) {
      const { first: run, others: inOthers } = endedOf(trial);
      return run && timedBy(run, inOthers);
    },
    isOfOneShape: (trial) => shapeOf(taskIn(trial)) === shapeOf(taskIn(null)),
    onRun: (heardOf) => void (tell = heardOf),
    again(trial) {
      const chance = !isInOrders(trial) && layouts.others(inFileOrder(trial), 1).length > 0 ? inMoreLayouts : withSeeds;
      return Promise.all([chance(trial), chance(null)]);
    },
    begin(trial, orders = 'few') {
      if (trial) heard(of(trial, orders));
      heard(asItIs(trial ? [trial] : []));
    },
  };
}

/** Runs that have ended; undefined for one that virtual time does not take. */
type Ended = readonly (RunResult | undefined)[];

/** Whoever awaits it hears of its failure; that nobody does is no failure of its own. */
export function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * Not of runs in which threads came so far out of the order of a trace with times that more was held at once: what they leave is another program's. Without
 * times nobody knows what overlaps. Null where that is so in all of them.
 */
function rangeOf(results: readonly RunResult[], { events }: RunOptions): OrderRange | null {
  const endOf = (result: RunResult): Bytes => result.samples.at(-1)!.rssBytes;
  const isKept = (result: RunResult) => keepsOrder(result, events) || !isTimed(events);
  const ends = results.filter(isKept).map(endOf);
  if (ends.length === 0) return null;
  const leftOut = results.filter((result) => !isKept(result)).map(endOf);
  return {
    leastBytes: Math.min(...ends),
    mostBytes: Math.max(...ends),
    leftOut: leftOut.length,
    leftOutMostBytes: Math.max(0, ...leftOut),
  };
}

/** The run as it is, in virtual time up to row `end`. */
const timedAsItIs = (options: RunOptions, end: number): RunTask =>
  inTime(options, taskOf(options, end, formatAllocator(options.spec)));

const timedTrial = (options: RunOptions, { task }: Trial): RunTask => inTime(options, task);

/** At the recorded pace where there are times. */
const inTime = ({ events }: RunOptions, task: RunTask): RunTask => ({
  ...task,
  mode: 'virtual',
  pace: isTimed(task.events ?? events) ? 'recorded' : task.pace,
});

/** Lock waits of a trace without times are not known. */
function timesOf({ summary, run, samples }: RunResult, threads: number): RunTimes {
  const { faults, syscalls } = samples.at(-1)!;
  return {
    faults,
    syscalls: callsOf(syscalls),
    cpuNs: summary.cpuNs ?? 0,
    lockWaitNs: run.pace === 'recorded' ? (summary.waitNs ?? 0) : null,
    threadNs: (summary.virtualNs ?? 0) * threads,
  };
}

/** undefined where one is. */
function whole(results: readonly (RunResult | undefined)[]): RunResult[] | undefined {
  const there = results.filter((result) => result !== undefined);
  return there.length === results.length ? there : undefined;
}

/** undefined where virtual time does not take the events. */
async function runTimed(task: RunTask, runner: Runner): Promise<RunResult | undefined> {
  try {
    return (await runner.run([task]))[0]!.result;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
