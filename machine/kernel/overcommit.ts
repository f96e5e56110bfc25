/** mm/util.c: how much the kernel promises (Committed_AS). */
import type { Kernel } from './kernel.ts';

/** vm_commit_limit, in pages. */
export function vmCommitLimit(k: Kernel): number {
  const base =
    k.overcommitKbytes > 0
      ? Math.floor(k.overcommitKbytes / 4)
      : Math.floor(((k.totalPages - k.hugepagesTotal * 512) * k.overcommitRatio) / 100);
  return base + k.swapTotal;
}

/** __vm_enough_memory for root: promises `pages` more, or refuses and promises nothing. */
export function vmEnoughMemory(k: Kernel, pages: number): boolean {
  k.committed += pages;
  if (k.overcommitMemory === 1) return true;
  if (k.overcommitMemory === 0) {
    if (pages <= k.totalPages + k.swapTotal) return true;
    k.committed -= pages;
    return false;
  }
  let allowed = vmCommitLimit(k);
  // The user's reserve keeps a way out for one process: a thirty-second of it, 128 MiB at most.
  if (k.current) allowed -= Math.min(Math.floor(k.current.mm.totalVm / 32), Math.floor(k.userReserveKbytes / 4));
  if (k.committed < allowed) return true;
  k.committed -= pages;
  return false;
}
