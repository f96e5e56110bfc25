import { formatAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import type { RunTimes } from './explanation.ts';
import { type Order, otherOrders, sharesHeaps } from './orders.ts';
import { type OrderRange, type Trial, taskOf } from './what-if.ts';

/** A setting's run in virtual time, and what it leaves in other orders of the threads' calls where that depends on them. */
export interface Timed {
  readonly times: RunTimes;
  readonly orders: OrderRange | null;
}

/** Runs in virtual time, each begun by whoever asks for it first; undefined where virtual time does not take the events. */
export interface Timings {
  asItIs(): Promise<RunTimes | undefined>;
  of(trial: Trial): Promise<Timed | undefined>;
  /** Both, for whoever will ask. */
  begin(trial: Trial): void;
}

/** Up to row `end`. */
export function createTimings(options: RunOptions, end: number, runner: Runner): Timings {
  const threads = options.events.threadSlots;
  const begun = new Map<Trial, Promise<Timed | undefined>>();
  let own: Promise<RunTimes | undefined> | undefined;

  async function timeAsItIs(): Promise<RunTimes | undefined> {
    const results = await runTimed([timedAsItIs(options, end)], runner);
    return results && timesOf(results[0]!, threads);
  }

  async function time(trial: Trial): Promise<Timed | undefined> {
    const timed = timedTrial(options, trial);
    const others = threads > 1 && sharesHeaps(trial) ? otherOrders(timed, threads) : [];
    const results = await runTimed([timed, ...others.map(({ task }) => task)], runner);
    if (!results) return undefined;
    return { times: timesOf(results[0]!, threads), orders: others.length > 0 ? rangeOf(results, others) : null };
  }

  const asItIs = () => (own ??= heard(timeAsItIs()));
  const of = (trial: Trial) => {
    const run = begun.get(trial) ?? heard(time(trial));
    begun.set(trial, run);
    return run;
  };
  return {
    asItIs,
    of,
    begin(trial) {
      of(trial);
      asItIs();
    },
  };
}

/** Whoever awaits it hears of its failure; that nobody does is no failure of its own. */
export function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Null where threads came so far out of the trace's order in all of them that more was held at once: what they leave is another program's. */
function rangeOf([timed, ...rest]: readonly RunResult[], others: readonly Order[]): OrderRange | null {
  const runs = [{ result: timed!, isWhole: true }, ...others.map(({ isWhole }, i) => ({ result: rest[i]!, isWhole }))];
  const ends = runs
    .filter(({ result }) => !result.outOfOrder)
    .map(({ result, isWhole }): { bytes: Bytes; isWhole: boolean } => ({
      bytes: result.samples.at(-1)!.rssBytes,
      isWhole,
    }));
  if (ends.length === 0) return null;
  const least = Math.min(...ends.map(({ bytes }) => bytes));
  return {
    leastBytes: least,
    mostBytes: Math.max(least, ...ends.flatMap(({ bytes, isWhole }) => (isWhole ? [bytes] : []))),
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
function timesOf({ summary, run }: RunResult, threads: number): RunTimes {
  return {
    cpuNs: summary.cpuNs ?? 0,
    lockWaitNs: run.pace === 'recorded' ? (summary.waitNs ?? 0) : null,
    threadNs: (summary.virtualNs ?? 0) * threads,
  };
}

/** undefined where virtual time does not take the events. */
async function runTimed(tasks: readonly RunTask[], runner: Runner): Promise<RunResult[] | undefined> {
  try {
    return (await runner.run(tasks)).map(({ result }) => result);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function isTimed({ head, length }: EventBuffer): boolean {
  for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) return true;
  return false;
}
