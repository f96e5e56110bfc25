import type { ThreadSlot } from '../../../../sim/contract/allocator.ts';
import type { Assembled } from '../../../run/machine.ts';

/** Asks every layer for all that it gives back on request. */
export function purge({ top, allocator }: Assembled): void {
  for (const layer of new Set([top, allocator])) {
    if (layer.purge) layer.purge(0);
    else layer.trim(0, 0);
  }
}

/** Whether the caches of threads can be emptied on request. */
export function canFlush({ top, allocator }: Assembled): boolean {
  return top.flushCache !== undefined || allocator.flushCache !== undefined;
}

/** The most that can be asked for: the caches of all threads first, where that is possible, then everything that is free. */
export function releaseAll(assembled: Assembled, threads: readonly ThreadSlot[]): void {
  for (const layer of new Set([assembled.top, assembled.allocator])) {
    for (const t of threads) layer.flushCache?.(t);
  }
  purge(assembled);
}
