import { sizeBytes } from '../scenario/quantities.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import type { PoolFigures } from './figures.ts';
import type { Limit } from './growing-finding.ts';

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

export function ceilingOf(pool: PoolFigures, { pm, worker }: PoolFile, limit: Limit): PoolCeiling {
  const usedBytes = limit.bytes - limit.leftBytes;
  const besideBytes = Math.max(0, usedBytes - pool.privateBytes.trend.endBytes);
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
