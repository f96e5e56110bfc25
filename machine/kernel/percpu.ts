/** mm/percpu.c: memory that each processor has for itself, of which groups take counters. */
import type { Kernel } from './kernel.ts';
import { takeKernelPages } from './page-alloc.ts';

/** Pages are populated where fewer than PCPU_EMPTY_POP_PAGES_LOW (2) are empty, up to PCPU_EMPTY_POP_PAGES_HIGH (4). */
const POPULATED_AT_ONCE = 3;

/** There are so many groups, as never before: what is populated for their counters stays when they go. */
export function populatePercpu(k: Kernel, groups: number): void {
  const { features, processors } = k.profile;
  const missing = groups * features.groupPercpuAreaBytes - features.percpuSpareBytes;
  const times = missing <= 0 ? 0 : Math.ceil(missing / (POPULATED_AT_ONCE * 4096));
  const pages = times * POPULATED_AT_ONCE * processors - k.percpuPages;
  if (pages <= 0) return;
  takeKernelPages(k, pages);
  k.percpuPages += pages;
}
