import { normalQuantile } from '../../sim/metrics/normal.ts';
import { highestMoments } from '../machine/moments.ts';
import type { FleetRun } from '../run-fleet.ts';
import type { FleetFigures } from './figures.ts';

/** What a machine of so many workers needs over one time, at one risk. */
export interface FleetPlanRow {
  readonly setting: string;
  readonly pool: string;
  readonly horizon: string;
  readonly risk: number;
  /** Private memory of a worker at that time: between requests, and its deviation with what requests in progress add. */
  readonly workerMeanBytes: number;
  readonly workerDeviationBytes: number;
  readonly workerPeakBytes: number;
  /** Of the machine beside this pool's workers: shared memory once, other pools, services, the kernel. */
  readonly besideBytes: number;
  /** Workers that fit with that risk, and with all of them at their peak at once. */
  readonly fits: number;
  readonly fitsAtPeak: number;
  /** As a memory.max for the workers that the scenario has. */
  readonly limitBytes: number;
  readonly killed: number;
  /** The allocator's part of a request. */
  readonly allocatorUs: number;
  /** Whether no other setting needs less memory and less time over the same time. */
  readonly front: boolean;
}

export function planRow(
  run: FleetRun,
  figures: FleetFigures,
  index: number,
  names: Pick<FleetPlanRow, 'setting' | 'horizon' | 'risk'>,
): FleetPlanRow {
  const pool = figures.pools[index]!;
  const { pm } = run.pools[index]!.pool;
  const workers = Math.max(1, pool.workers);
  const ownAtEnd = pool.privateBytes.trend.highestBytes;
  const kept = ownAtEnd / workers;
  const { mean, deviation, requests } = withinRequests(run, index);
  // Each request that begins is one more chance that too many run at once.
  const quantile = normalQuantile(1 - names.risk / Math.max(1, requests));
  const seen = mostWithin(run, index);
  const peak = kept + Math.max(0, pool.heapPeakBytes - pool.heapMeanBytes);
  const beside = Math.max(
    0,
    figures.totalBytes - figures.availableBytes.trend.lastBytes - pool.privateBytes.trend.lastBytes,
  );
  const room = Math.min(figures.totalBytes, groupLimit(figures, run, index)) - beside;
  const needs = (count: number) =>
    Math.min(
      count * peak,
      Math.max(
        count * (kept + mean) + quantile * deviation * Math.sqrt(count),
        (count - 1) * (kept + mean) + peak,
        count * kept + seen,
      ),
    );
  let fits = 0;
  while (fits < 100_000 && needs(fits + 1) <= room) fits++;
  return {
    ...names,
    pool: pool.name,
    workerMeanBytes: kept + mean,
    workerDeviationBytes: deviation,
    workerPeakBytes: peak,
    besideBytes: beside,
    fits,
    fitsAtPeak: peak > 0 ? Math.max(0, Math.floor(room / peak)) : 0,
    limitBytes: Math.ceil(needs(pm.max_children) / 2 ** 20) * 2 ** 20,
    killed: figures.kills,
    allocatorUs: pool.requests === 0 ? 0 : pool.requestUs / pool.requests,
    front: false,
  };
}

function groupLimit(figures: FleetFigures, run: FleetRun, index: number): number {
  const { group } = run.pools[index]!.pool;
  const own = figures.groups.filter(
    ({ name, maxBytes }) => maxBytes !== null && (group === name || group?.startsWith(`${name}/`)),
  );
  return Math.min(Infinity, ...own.map(({ maxBytes }) => maxBytes!));
}

/** What a worker has at a random moment beyond what it keeps: each request counts with its peak for as long as it runs. */
function withinRequests(run: FleetRun, index: number): { mean: number; deviation: number; requests: number } {
  const { tasks, timelines, startPages } = run.pools[index]!;
  const lengthUs = run.samples.at(-1)!.atUs;
  let sum = 0;
  let squares = 0;
  let requests = 0;
  tasks.forEach((task, slot) => {
    const { peakPages, residentPages } = timelines[slot]!;
    task.startUs.forEach((startUs, i) => {
      const extra = Math.max(0, peakPages[i]! - (i > 0 ? residentPages[i - 1]! : startPages)) * 4096;
      const share = (Math.min(task.endUs[i]!, lengthUs) - startUs) / lengthUs / tasks.length;
      if (extra > 0) requests++;
      sum += extra * share;
      squares += extra * extra * share;
    });
  });
  return { mean: sum, deviation: Math.sqrt(Math.max(0, squares - sum * sum)), requests };
}

/** What requests in progress of the pool had at once at most, in the run itself. */
function mostWithin({ pools, samples }: FleetRun, index: number): number {
  const moments = highestMoments(
    pools,
    Float64Array.from(samples, ({ atUs }) => atUs),
  );
  return moments.reduce((most, moment) => Math.max(most, (moment?.poolPages[index] ?? 0) * 4096), 0);
}
