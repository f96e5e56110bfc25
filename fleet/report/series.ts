import { firstAfter } from '../pool/pool-run.ts';
import type { FleetRun } from '../run-fleet.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import { type Trend, trendOf } from './trend.ts';

/** A figure over time, by its name. */
export interface Series {
  readonly name: string;
  readonly values: readonly number[];
  readonly trend: Trend;
  /** The same without what requests in progress had at the samples, which goes up and down with the load of the day. */
  readonly kept: Trend;
}

/** What of the values is of requests. */
export interface OfRequests {
  /** What of each value requests in progress had, or whatever else of it does not stay. */
  readonly within: readonly number[];
  /** Requests that had begun by each sample, where they do not come evenly. */
  readonly begun: readonly number[] | undefined;
}

export type MakeSeries = (name: string, values: readonly number[], of?: OfRequests) => Series;

export const seriesOver =
  (timesUs: readonly number[]): MakeSeries =>
  (name, values, of) => {
    const trend = trendOf(timesUs, values);
    if (!of?.begun && !of?.within.some((bytes) => bytes > 0)) return { name, values, trend, kept: trend };
    const keptValues = values.map((bytes, i) => bytes - of.within[i]!);
    return { name, values, trend, kept: trendOf(timesUs, keptValues, of.begun) };
  };

/** Private memory that a pool's workers keep, as it were with the most workers all the time: what rises in it is no worker that begins. */
export function eachTrend(
  timesUs: readonly number[],
  values: readonly number[],
  workers: readonly number[],
  { within, begun }: OfRequests,
): Trend | undefined {
  const told = timesUs.flatMap((_, i) => (workers[i]! > 0 ? [i] : []));
  if (told.length < 3) return undefined;
  const most = Math.max(...workers);
  return trendOf(
    told.map((i) => timesUs[i]!),
    told.map((i) => ((values[i]! - within[i]!) / workers[i]!) * most),
    begun && told.map((i) => begun[i]!),
  );
}

/** What a run's requests have and are, of the pools that are counted. */
export function ofRequests({ samples, scenario, pools }: FleetRun, isCounted: (pool: PoolFile) => boolean): OfRequests {
  const counted = pools.filter((_, i) => isCounted(scenario.pools[i]!));
  const names = counted.map(({ pool }) => pool.name);
  const isUneven = scenario.requests.some(({ pool, daily, log }) => names.includes(pool) && (daily ?? log));
  const begunBy = (us: number) =>
    counted.reduce((sum, { tasks }) => tasks.reduce((all, { startUs }) => all + firstAfter(startUs, us), sum), 0);
  return {
    within: samples.map(({ withinBytes }) =>
      withinBytes.reduce((sum, own, i) => (isCounted(scenario.pools[i]!) ? sum + own : sum), 0),
    ),
    begun: isUneven ? samples.map(({ atUs }) => begunBy(atUs)) : undefined,
  };
}
