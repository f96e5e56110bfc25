import { breathing } from '../../workloads/breathing.ts';
import { type Arrivals, drawArrivals } from '../requests/arrivals.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { FILE_SOURCES, type FleetSources } from '../scenario/sources.ts';
import { PoolRun } from './pool-run.ts';

export interface PrepareOptions {
  /** false: every request is replayed, whether its heap is known or not. */
  readonly remembers?: boolean;
  /** Default: the files of this machine. */
  readonly sources?: FleetSources;
  readonly signal?: AbortSignal;
}

/** What comes when, and the pools with what each of their workers serves. Throws Interrupted where the signal comes before all is known. */
export async function preparePools(
  scenario: Scenario,
  samplesUs: Float64Array,
  { remembers = true, sources = FILE_SOURCES, signal }: PrepareOptions,
): Promise<{ readonly arrivals: Arrivals; readonly pools: readonly PoolRun[] }> {
  const arrivals = await breathing(drawArrivals(scenario, sources), signal);
  const given = { remembers, sources, signal };
  const pools = await Promise.all(
    scenario.pools.map((pool) => PoolRun.prepare(pool, scenario, arrivals, samplesUs, given)),
  );
  return { arrivals, pools };
}
