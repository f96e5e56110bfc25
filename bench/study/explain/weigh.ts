import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { type Allowed, adviseOn } from './advice.ts';
import type { RunTimes } from './explanation.ts';
import { atWork } from './mechanisms/at-work.ts';
import type { Observed } from './observed.ts';
import { createPricing } from './priced-work.ts';
import { settingName } from './setting.ts';
import type { SharedRuns } from './shared-runs.ts';
import type { Timings } from './timed.ts';
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
  options: RunOptions,
  { callsNs }: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  { orders, times }: Weighed = UNWEIGHED,
): WhatIf[] {
  const priceOf = createPricing(options, callsNs);
  return trials.flatMap((trial) => {
    const result = shared.of(trial);
    if (!result) return [];
    const whatIf = whatIfOf(trial, result, options.spec, priceOf);
    const range = orders.get(trial);
    const { cpuNs = null, lockWaitNs = null } = times.get(trial) ?? {};
    return [{ ...whatIf, orders: range ? withOrder(range, whatIf.rssBytes) : null, cpuNs, lockWaitNs }];
  });
}

const withOrder = ({ leastBytes, mostBytes }: OrderRange, bytes: Bytes): OrderRange => ({
  leastBytes: Math.min(leastBytes, bytes),
  mostBytes: Math.max(mostBytes, bytes),
});

/** What would be advised by what is known so far: for less memory, for fewer page faults. */
export function advisedTrials(
  options: RunOptions & Allowed,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  known: Weighed = UNWEIGHED,
): Trial[] {
  const { facts, findings } = observed;
  const whatIf = whatIfsOf(options, observed, shared, trials, known);
  const { memory, faults } = adviseOn(
    { ...facts, times: known.asItIs },
    atWork(findings, facts, whatIf),
    whatIf,
    options,
  );
  return [memory, faults].flatMap((advised) => {
    const trial = advised && trials.find(({ setting }) => settingName(setting) === advised.setting);
    return trial ? [trial] : [];
  });
}

/**
 * Runs what would be advised in virtual time, and in other orders of the threads' calls where it depends on them, until the advice
 * stands: what turns out to be too slow or too uncertain makes room for the next best.
 */
export async function weigh(
  options: RunOptions & Allowed,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  timings: Timings,
): Promise<Weighed> {
  const orders = new Map<Trial, OrderRange>();
  const times = new Map<Trial, RunTimes>();
  let known = UNWEIGHED;
  for (;;) {
    const trial = advisedTrials(options, observed, shared, trials, known).find((advised) => !times.has(advised));
    if (!trial) return known;
    const [timed, asItIs] = await Promise.all([timings.of(trial), timings.asItIs()]);
    if (!timed || !asItIs) return known;
    times.set(trial, timed.times);
    if (timed.orders) orders.set(trial, timed.orders);
    known = { orders, times, asItIs };
  }
}
