import type { PoolRun } from './pool-run.ts';

/** Of each request that a slot serves: the resident pages of its process's heap before it. */
export function forEachHeapBefore(
  { tasks, timelines, startPages }: PoolRun,
  slot: number,
  tell: (request: number, beforePages: number) => void,
): void {
  const { residentPages, recycled } = timelines[slot]!;
  let next = 0;
  for (const { first, last } of tasks[slot]!.lives) {
    for (let i = first, isFresh = true; i < last; i++) {
      tell(i, isFresh ? startPages : residentPages[i - 1]!);
      while (recycled[next]! < i) next++;
      // Replaced for its size: the next request meets another process.
      isFresh = recycled[next] === i;
    }
  }
}

/** The most pages that a request adds. */
export function mostAdded(pool: PoolRun): number {
  let most = 0;
  pool.timelines.forEach(({ peakPages }, slot) => {
    forEachHeapBefore(pool, slot, (i, before) => {
      most = Math.max(most, peakPages[i]! - before);
    });
  });
  return most;
}
