/** mm/vmpressure.c: reclaim tells of each window of pages that it has looked at, by a worker that runs at once. */
import { rescheduled } from './flusher.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { SWAP_CLUSTER_MAX } from './scan-count.ts';

/** vmpressure_win. */
const WINDOW_PAGES = SWAP_CLUSTER_MAX * 16;

/**
 * vmpressure of a target and what is below it: once the worker has had the processor, it goes to whoever has had least of it. That is where
 * who reclaims next lets others have it, when reclaim is over.
 */
export function vmpressure(k: Kernel, target: MemCgroup, scanned: number): void {
  target.treeScanned += scanned;
  if (target.treeScanned < WINDOW_PAGES) return;
  target.treeScanned = 0;
  k.workerCame = true;
  rescheduled(k);
}
