import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import type { PoolFigures } from './figures.ts';
import type { Limit } from './limits.ts';

/** What a pool of forked workers comes to, when each has copied what it ever copies and keeps the heap that one kept at most. */
export interface PoolCeiling {
  /** Beside its workers' private memory: what they share, the kernel's own, and whoever else is below the same limit, at the end. */
  readonly besideBytes: number;
  readonly workerBytes: number;
  /** All of it, with as many workers as the pool may have. */
  readonly bytes: number;
  /** So many workers have room for that below the limit. */
  readonly fits: number;
}

export const besideOf = (pool: PoolFigures, { bytes, leftBytes }: Limit): number =>
  Math.max(0, bytes - leftBytes - pool.privateBytes.trend.endBytes);

/** Of a worker beside its heap: the program's own, and what it comes to write and copy. */
export function ownBytes(pool: PoolFigures, { worker, first }: PoolFile): number {
  const most = (sizes: readonly (string | number)[]) => Math.max(0, ...sizes.map((size) => sizeBytes(size)!));
  const written = most([worker.writes, ...first.map(({ writes }) => writes)]);
  return sizeBytes(worker.anonymous)! + pool.mostCopiedBytes + written + most(first.map((one) => one.anonymous));
}

export function ceilingOf(pool: PoolFigures, { pm, worker }: PoolFile, limit: Limit): PoolCeiling {
  const besideBytes = besideOf(pool, limit);
  const workerBytes = pool.mostCopiedBytes + pool.heapKeptBytes + sizeBytes(worker.anonymous)!;
  return {
    besideBytes,
    workerBytes,
    bytes: besideBytes + workerBytes * pm.max_children,
    fits: Math.max(0, Math.floor((limit.bytes - besideBytes) / Math.max(1, workerBytes))),
  };
}

/**
 * When workers that are never replaced have copied so much more, all together: each request writes a share of the pages, at places drawn evenly,
 * so that what is not copied yet falls by one factor an hour. Undefined: it never comes to so much, or goes by something else.
 */
export function copiesUs(
  { preloadBytes, copiedBytes, workers, requests }: PoolFigures,
  { pm, recycle, preload }: PoolFile,
  moreBytes: number,
  lengthUs: number,
): number | undefined {
  const restBytes = preloadBytes - copiedBytes;
  const thenBytes = restBytes - moreBytes / Math.max(1, workers);
  if (pm.max_requests > 0 || recycle !== undefined || !preload || requests === 0 || thenBytes <= 0) return undefined;
  const usPerRequest = (lengthUs * workers) / requests;
  const share = Math.min(1, sizeBytes(preload.writes)! / preloadBytes);
  return (Math.log(thenBytes / restBytes) / Math.log(1 - share)) * usPerRequest;
}

/** Whether most of a rise is copies of what the pool's workers had from their master. */
export const isOfCopies = (pool: PoolFigures, riseBytes: number) => pool.copiedBytes * pool.workers > 0.5 * riseBytes;
