import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import { type Allowed, adviseOn } from './advice.ts';
import type { RunTimes } from './explanation.ts';
import type { Observed } from './observe.ts';
import { runInOrders, sharesHeaps } from './orders.ts';
import { settingName } from './setting.ts';
import type { SharedRuns } from './shared-runs.ts';
import { isTimed, timesOf } from './timed.ts';
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
): Promise<Weighed> {
  const orders = new Map<Trial, OrderRange>();
  const times = new Map<Trial, RunTimes>();
  const threads = options.events.threadSlots;
  const tried = new Set<Trial>();
  let asItIs: RunTimes | null = null;
  for (;;) {
    const whatIf = whatIfsOf(options, shared, trials, { orders, times, asItIs });
    const { best } = adviseOn({ ...facts, times: asItIs }, findings, whatIf, options);
    const trial = trials.find((t) => settingName(t.setting) === best?.setting);
    if (!trial || tried.has(trial)) return { orders, times, asItIs };
    tried.add(trial);
    if (threads > 1 && sharesHeaps(trial)) {
      const range = await runInOrders(trial, threads, isTimed(options.events, facts.event), runner);
      if (range) orders.set(trial, range);
    }
    const timed = await timesOf(options, facts.event, asItIs ? [trial] : [undefined, trial], runner);
    if (!timed) continue;
    asItIs ??= timed[0]!;
    times.set(trial, timed.at(-1)!);
  }
}
