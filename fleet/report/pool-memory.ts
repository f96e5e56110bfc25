import { sizeBytes } from '../../sim/contract/quantities.ts';
import { firstAfter } from '../pool/pool-run.ts';
import type { FleetRun } from '../run-fleet.ts';
import type { MakeSeries, Series } from './series.ts';

/** Resident memory of a pool's workers over time, by who is counted and how. */
export interface ResidentSeries {
  /** Pss of all workers: of shared pages their part. */
  readonly pssBytes: Series;
  /** Rss of all workers, shared pages in each of them. */
  readonly rssBytes: Series;
  /** Rss of the largest worker. */
  readonly largestBytes: Series;
}

/** A shared region to which each request adds, until it is full. */
export interface GrowingRegion {
  readonly name: string;
  readonly sizeBytes: number;
  readonly firstBytes: number;
  readonly lastBytes: number;
  /** When somebody was killed first; without that as `lastBytes`. */
  readonly atKillBytes: number;
  readonly perHourBytes: number;
}

const residentBytes = ({ anonBytes, fileBytes, shmemBytes }: FleetRun['samples'][number]['processes'][number]) =>
  anonBytes + fileBytes + shmemBytes;

/** Resident memory of a pool's workers, together and of the largest. */
export function residentOf(
  workersAt: readonly FleetRun['samples'][number]['processes'][],
  name: string,
  series: MakeSeries,
): ResidentSeries {
  return {
    pssBytes: series(
      `workers of ${name}, each shared page once`,
      workersAt.map((list) => list.reduce((sum, p) => sum + p.pssBytes, 0)),
    ),
    rssBytes: series(
      `workers of ${name}, shared pages in each`,
      workersAt.map((list) => list.reduce((sum, p) => sum + residentBytes(p), 0)),
    ),
    largestBytes: series(
      `largest worker of ${name}`,
      workersAt.map((list) => Math.max(0, ...list.map(residentBytes))),
    ),
  };
}

/** What is filled of a pool's shared regions at the end. */
export const sharedBytes = ({ shared }: FleetRun['pools'][number]['pool'], growing: readonly GrowingRegion[]) =>
  shared.reduce((sum, { used = 0 }) => sum + sizeBytes(used)!, 0) +
  growing.reduce((sum, { firstBytes, lastBytes }) => sum + lastBytes - firstBytes, 0);

/** … that requests add to. */
export function growingRegions(run: FleetRun, index: number): GrowingRegion[] {
  const { pool, tasks } = run.pools[index]!;
  const untilUs = run.samples.at(-1)!.atUs;
  const requests = tasks.reduce((sum, { startUs }) => sum + startUs.length, 0);
  const killUs = run.firstKill?.sample.atUs ?? Infinity;
  const untilKill = tasks.reduce((sum, { startUs }) => sum + firstAfter(startUs, killUs), 0);
  return pool.shared
    .map(({ name, size, used = 0, grows }) => {
      const firstBytes = sizeBytes(used)!;
      const allBytes = sizeBytes(size)!;
      const added = requests * sizeBytes(grows)!;
      return {
        name,
        sizeBytes: allBytes,
        firstBytes,
        lastBytes: Math.min(allBytes, firstBytes + added),
        atKillBytes: Math.min(allBytes, firstBytes + untilKill * sizeBytes(grows)!),
        perHourBytes: (added / untilUs) * 3600e6,
      };
    })
    .filter(({ perHourBytes }) => perHourBytes > 0);
}
