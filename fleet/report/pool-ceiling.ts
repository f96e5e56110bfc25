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

/** Whether most of a rise is copies of what the pool's workers had from their master. */
export const isOfCopies = (pool: PoolFigures, riseBytes: number) => pool.copiedBytes * pool.workers > 0.5 * riseBytes;
