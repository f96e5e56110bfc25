import type { Bytes } from '../../../../sim/contract/units.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { Facts, RunTimes } from '../explanation.ts';
import { atWork } from '../mechanisms/at-work.ts';
import type { Observed } from '../observed.ts';
import { hasSharedHeaps, savedBytes, sharesHeaps, wider, withoutHeaps } from '../settings/orders.ts';
import { EVENTS_IN_ORDERS } from '../settings/other-orders.ts';
import { createPricing, priceOfFreshPage } from '../settings/priced-work.ts';
import { settingName } from '../settings/setting.ts';
import type { SharedRuns } from '../settings/shared-runs.ts';
import type { Timed, Timings } from '../settings/timed.ts';
import { type OrderRange, type Trial, type WhatIf, whatIfOf } from '../settings/what-if.ts';
import { type Allowed, adviseOn, enoughBytes, isBackAndForth } from './advice.ts';

/** What is known of single settings, and of the run as it is, beside their run: how it ends in other orders, and what it takes. */
export interface Weighed {
  readonly orders: ReadonlyMap<Trial, OrderRange>;
  readonly times: ReadonlyMap<Trial, RunTimes>;
  readonly asItIs: Pick<Facts, 'times' | 'orders'>;
}

export const UNWEIGHED: Weighed = { orders: new Map(), times: new Map(), asItIs: { times: null, orders: null } };

/** Of the trials that have been run. */
export function whatIfsOf(
  options: RunOptions,
  { callsNs, facts }: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  { orders, times, asItIs }: Weighed = UNWEIGHED,
): WhatIf[] {
  const priceOf = createPricing(options, callsNs);
  const freshNs = priceOfFreshPage(options);
  const { workNs: asItIsNs } = knownFacts(options, facts, asItIs);
  return trials.flatMap((trial) => {
    const result = shared.of(trial);
    if (!result) return [];
    const whatIf = whatIfOf(trial, result, options, priceOf);
    const range = orders.get(trial);
    const {
      cpuNs = null,
      cpuMostNs = cpuNs,
      lockWaitNs = null,
      faults = null,
      syscalls = null,
    } = times.get(trial) ?? {};
    const moreNs = whatIf.workNs - facts.workNs + (whatIf.faults - facts.sample.faults) * freshNs;
    const workNs = asItIsNs === facts.workNs ? whatIf.workNs : (cpuNs ?? Math.max(0, asItIsNs + moreNs));
    const timed = { workNs, cpuNs, cpuMostNs, lockWaitNs, timedFaults: faults, timedSyscalls: syscalls };
    return [{ ...whatIf, orders: range ? wider(range, rangeOf(whatIf)) : null, ...timed }];
  });
}

/**
 * What was learned of the run as it is. The work of one thread is what its timed run took: that has what the program writes itself,
 * which no count has, and there are no other threads that it could wait for.
 */
export function knownFacts({ events }: RunOptions, facts: Facts, asItIs: Weighed['asItIs']): Facts {
  const isOne = events.threadSlots === 1 && asItIs.times !== null;
  return { ...facts, ...asItIs, ...(isOne && { workNs: asItIs.times!.cpuNs }) };
}

const rangeOf = ({ rssBytes }: { readonly rssBytes: Bytes }): OrderRange => ({
  leastBytes: rssBytes,
  mostBytes: rssBytes,
  leftOut: 0,
  leftOutMostBytes: 0,
});

/** A setting that would be advised, and the trial that ran it. */
interface Candidate {
  readonly trial: Trial;
  readonly whatIf: WhatIf;
}

const widthOf = ({ leastBytes, mostBytes }: OrderRange): Bytes => mostBytes - leastBytes;

/** What would be advised or named with its price by what is known so far. */
function candidates(
  options: RunOptions & Allowed,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  known: Weighed,
): {
  readonly advised: Candidate[];
  readonly forMemory: Candidate[];
  readonly uncertain: Candidate[];
  readonly all: Candidate[];
} {
  const { findings } = observed;
  const facts = knownFacts(options, observed.facts, known.asItIs);
  const whatIf = whatIfsOf(options, observed, shared, trials, known);
  const advice = adviseOn(facts, atWork(findings, observed.facts, whatIf), whatIf, options);
  const found = (...wanted: (WhatIf | null)[]) =>
    wanted.flatMap((one) => {
      const trial = one && trials.find(({ setting }) => settingName(setting) === one.setting);
      return trial ? [{ trial, whatIf: one }] : [];
    });
  const forMemory = found(advice.memory, advice.version);
  return {
    advised: found(advice.memory, advice.faults),
    forMemory,
    uncertain: found(advice.uncertain),
    all: [
      ...forMemory,
      ...found(advice.faults, advice.costly, ...misjudged(facts, whatIf, options), ...ofOneOrder(whatIf, options)),
    ],
  };
}

/**
 * How often threads that share heaps take memory again depends on which of them hold some at the same time, of which the order of the trace alone
 * tells little: what is passed over for that is timed, unless what it sets beside the heaps does it alone.
 */
const misjudged = (facts: Facts, whatIf: readonly WhatIf[], { events }: RunOptions): WhatIf[] =>
  events.threadSlots === 1
    ? []
    : whatIf.filter(
        (w) =>
          hasSharedHeaps(w) &&
          w.cpuNs === null &&
          !w.failed &&
          savedBytes(facts, w) >= enoughBytes(facts) &&
          isBackAndForth(facts, w) &&
          !whatIf.some((part) => part.setting === withoutHeaps(w) && isBackAndForth(facts, part)),
      );

/** What threads leave in shared heaps in the order of the trace alone is no reason to pass all such settings over: the best is run in others too. */
function ofOneOrder(whatIf: readonly WhatIf[], { events }: RunOptions): WhatIf[] {
  const sharing = whatIf.filter((w) => hasSharedHeaps(w) && !w.failed && !w.setting.includes(','));
  if (events.threadSlots === 1 || events.length > EVENTS_IN_ORDERS || sharing.some(({ cpuNs }) => cpuNs !== null))
    return [];
  return sharing.sort((x, y) => x.rssBytes - y.rssBytes).slice(0, 1);
}

/** Those that would be advised by what is known before any is timed. */
export const advisedTrials = (
  options: RunOptions & Allowed,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
): Trial[] => candidates(options, observed, shared, trials, UNWEIGHED).advised.map(({ trial }) => trial);

const trialsOf = (all: readonly Candidate[]): Trial[] => [...new Set(all.map(({ trial }) => trial))];

const untimedOf = (all: readonly Candidate[], { times }: Weighed): Trial[] =>
  trialsOf(all).filter((trial) => !times.has(trial));

/** What runs have told so far. */
interface Learned {
  readonly orders: ReadonlyMap<Trial, OrderRange>;
  readonly times: ReadonlyMap<Trial, RunTimes>;
  readonly asItIs: Timed | undefined;
  /** With other seeds. */
  readonly asItIsAgain: OrderRange | null;
}

function weighedOf({ facts }: Observed, { orders, times, asItIs, asItIsAgain }: Learned): Weighed {
  const others = wider(asItIs?.orders ?? null, asItIsAgain);
  const asItIsOrders = others && wider(rangeOf(facts.sample), others);
  return { orders, times, asItIs: { times: asItIs?.times ?? null, orders: asItIsOrders } };
}

function withTimed(before: Learned, trial: Trial, timed: Timed, asItIs: Timed): Learned {
  const times = new Map(before.times).set(trial, pricesInOrders(timed, asItIs));
  return { ...withOrders(before, trial, timed.orders), times, asItIs };
}

/**
 * What the setting takes in the order in which that is the least share of what the run as it is takes there. Who frees whose block stays as it was recorded,
 * which keeps threads in step that really do more at a time, and take less anew. Beside it the most that its work takes: how often threads meet at one heap
 * is another figure in every run.
 */
export function pricesInOrders(timed: Timed, asItIs: Timed): RunTimes {
  let least = timed.times;
  let cpuMostNs = least.cpuNs;
  for (const [i, there] of (timed.inOrders ?? []).entries()) {
    const own = asItIs.inOrders?.[i];
    if (!there || !own) continue;
    // A share, for an order in which all takes far more tells of the setting no more than others.
    const priced = (name: 'faults' | 'syscalls' | 'cpuNs') =>
      own[name] > 0 ? (asItIs.times[name] * there[name]) / own[name] : asItIs.times[name] + there[name];
    const count = (name: 'faults' | 'syscalls') => Math.min(least[name], Math.round(priced(name)));
    cpuMostNs = Math.max(cpuMostNs, priced('cpuNs'));
    least = {
      ...least,
      faults: count('faults'),
      syscalls: count('syscalls'),
      cpuNs: Math.min(least.cpuNs, priced('cpuNs')),
    };
  }
  return { ...least, cpuMostNs };
}

function withOrders(before: Learned, trial: Trial, own: OrderRange | null): Learned {
  const range = wider(own, before.orders.get(trial) ?? null);
  return range ? { ...before, orders: new Map(before.orders).set(trial, range) } : before;
}

/**
 * Runs what would be advised in virtual time, and in a few other orders of the threads' calls, until the advice
 * stands: what turns out to be too slow or too uncertain makes room for the next best. That is run in all orders then, and where what it saves is not
 * far beyond what these change, with other seeds too.
 */
export async function weigh(
  options: RunOptions & Allowed,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  timings: Timings,
): Promise<Weighed> {
  let learned: Learned = { orders: new Map(), times: new Map(), asItIs: undefined, asItIsAgain: null };
  const inAll = new Set<Trial>();
  const again = new Set<Trial>();
  const against: Trial[] = [];
  for (;;) {
    const known = weighedOf(observed, learned);
    const { forMemory, uncertain, all } = candidates(options, observed, shared, trials, known);
    const untimed = untimedOf(all, known);
    const inFew = trialsOf([...forMemory, ...uncertain]).filter((t) => sharesHeaps(t) && known.times.has(t));
    const unfinished = inFew.filter((trial) => !inAll.has(trial));
    const [next, second] = [...untimed, ...unfinished];
    if (next) {
      const orders = untimed.length > 0 ? 'few' : 'all';
      if (orders === 'all') inAll.add(next);
      against.push(next);
      // Most likely that is asked for next: another processor begins with it.
      if (second) timings.begin(second, untimed.includes(second) ? 'few' : 'all');
      const isAdvised = forMemory.some(({ trial, whatIf }) => trial === next && willBeClose(whatIf, known));
      if (isAdvised && !sharesHeaps(next)) timings.again(next);
      timings.onRun(() => beginNext(next));
      const [timed, asItIs] = await Promise.all([timings.of(next, orders), timings.asItIs(against)]);
      if (!timed || !asItIs) return known;
      learned = withTimed(learned, next, timed, asItIs);
      continue;
    }
    const close = forMemory.find(({ trial, whatIf }) => !again.has(trial) && isClose(whatIf, known));
    if (!close) return known;
    again.add(close.trial);
    const [own, asItIsAgain] = await timings.again(close.trial);
    learned = { ...withOrders(learned, close.trial, own), asItIsAgain: wider(learned.asItIsAgain, asItIsAgain) };
  }

  /**
   * Begins what comes next, should the orders that are still to come change nothing: others of its shape are over by then, and wait with their
   * machines.
   */
  function beginNext(trial: Trial): void {
    const [timed, asItIs] = [timings.soFar(trial), timings.soFar(null)];
    if (!timed || !asItIs || learned.times.has(trial)) return;
    const guess = weighedOf(observed, withTimed(learned, trial, timed, asItIs));
    const [next] = untimedOf(candidates(options, observed, shared, trials, guess).all, guess);
    if (next) timings.begin(next);
  }

  /** As much again as orders change leaves too little of what it saves. */
  function isClose(whatIf: WhatIf, known: Weighed): boolean {
    return whatIf.orders !== null && willBeClose(whatIf, known);
  }

  /** Whatever its own orders are. */
  function willBeClose(whatIf: WhatIf, { asItIs }: Weighed): boolean {
    const facts = { ...observed.facts, ...asItIs };
    if (!facts.orders) return false;
    const spread = (whatIf.orders ? widthOf(whatIf.orders) : 0) + widthOf(facts.orders);
    return savedBytes(facts, whatIf) - spread < enoughBytes(facts);
  }
}
