import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import { type Allowed, adviseOn } from './advice.ts';
import type { RunTimes } from './explanation.ts';
import type { Observed } from './observe.ts';
import { type Order, otherOrders, sharesHeaps } from './orders.ts';
import { settingName } from './setting.ts';
import type { SharedRuns } from './shared-runs.ts';
import { runTimed, timedAsItIs, timedTrial, timesOf } from './timed.ts';
import { type OrderRange, type Trial, type WhatIf, whatIfOf } from './what-if.ts';

/** What is known of single settings beside their run: how it ends in other orders, and what it takes. */
export interface Weighed {
  readonly orders: ReadonlyMap<Trial, OrderRange>;
  readonly times: ReadonlyMap<Trial, RunTimes>;
  readonly asItIs: RunTimes | null;
}

export const UNWEIGHED: Weighed = { orders: new Map(), times: new Map(), asItIs: null };

/** Of the trials that have been run. */
export function whatIfsOf(
  { spec }: RunOptions,
  shared: SharedRuns,
  trials: readonly Trial[],
  { orders, times }: Weighed = UNWEIGHED,
): WhatIf[] {
  return trials.flatMap((trial) => {
    const result = shared.of(trial);
    if (!result) return [];
    const whatIf = whatIfOf(trial, result, spec);
    const range = orders.get(trial);
    const { cpuNs = null, lockWaitNs = null } = times.get(trial) ?? {};
    return [{ ...whatIf, orders: range ? withOrder(range, whatIf.rssBytes) : null, cpuNs, lockWaitNs }];
  });
}

const withOrder = ({ leastBytes, mostBytes }: OrderRange, bytes: Bytes): OrderRange => ({
  leastBytes: Math.min(leastBytes, bytes),
  mostBytes: Math.max(mostBytes, bytes),
});

/**
 * Runs what would be advised in virtual time, and in other orders of the threads' calls where it depends on them, until the advice
 * stands: what turns out to be too slow or too uncertain makes room for the next best.
 */
export async function weigh(
  options: RunOptions & Allowed,
  { facts, findings }: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  runner: Runner,
  asItIs: RunResult | undefined,
): Promise<Weighed> {
  const threads = options.events.threadSlots;
  const orders = new Map<Trial, OrderRange>();
  const times = new Map<Trial, RunTimes>();
  const tried = new Set<Trial>();
  let before = asItIs && timesOf(asItIs, threads);
  for (;;) {
    const known: Weighed = { orders, times, asItIs: before ?? null };
    const whatIf = whatIfsOf(options, shared, trials, known);
    const { best } = adviseOn({ ...facts, times: known.asItIs }, findings, whatIf, options);
    const trial = trials.find((t) => settingName(t.setting) === best?.setting);
    if (!trial || tried.has(trial)) return known;
    tried.add(trial);
    const timed = timedTrial(options, trial);
    const others = threads > 1 && sharesHeaps(trial) ? otherOrders(timed, threads) : [];
    const tasks = [timed, ...others.map(({ task }) => task)];
    const results = await runTimed(before ? tasks : [...tasks, timedAsItIs(options, facts.event)], runner);
    if (!results) return known;
    before ??= timesOf(results.at(-1)!, threads);
    times.set(trial, timesOf(results[0]!, threads));
    if (others.length > 0) orders.set(trial, rangeOf(results, others));
  }
}

function rangeOf([timed, ...rest]: readonly RunResult[], others: readonly Order[]): OrderRange {
  const end = (result: RunResult): Bytes => result.samples.at(-1)!.rssBytes;
  const ends = others.map(({ isWhole }, i) => ({ bytes: end(rest[i]!), isWhole }));
  return {
    leastBytes: Math.min(end(timed!), ...ends.map(({ bytes }) => bytes)),
    mostBytes: Math.max(end(timed!), ...ends.flatMap(({ bytes, isWhole }) => (isWhole ? [bytes] : []))),
  };
}
