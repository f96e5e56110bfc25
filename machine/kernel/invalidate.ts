/** mm/truncate.c and fs/drop_caches.c: pages of files that may go are dropped on request. */
import { PG_DIRTY, PG_TAIL, PG_WRITEBACK } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { deleteFromPageCache } from './page-cache.ts';
import { deactivateFileFolio, lruAddDrain } from './swap-lru.ts';
import { writePages } from './writeback.ts';

/** invalidate_mapping_pagevec: drops what is clean and not mapped; the rest, whose number is the result, is for reclaim to take soon. */
function invalidateMappingPages(k: Kernel, object: AddressSpace, from: number, to: number): number {
  const { folioBatch } = k.profile.features;
  let seen = 0;
  let stay = 0;
  for (const index of [...object.pagesIn(from, to)]) {
    const frame = object.get(index);
    const flags = k.frames.flags[frame]!;
    if (flags & PG_TAIL) continue;
    // __pagevec_release of the first pages that were looked at empties the processor's batches; of those after them it does not.
    if (seen++ === folioBatch) lruAddDrain(k);
    if (object.kind !== 'disk' || flags & (PG_DIRTY | PG_WRITEBACK) || k.frames.mapcount[frame]! > 0) {
      deactivateFileFolio(k, frame);
      stay++;
    } else deleteFromPageCache(k, object, index);
  }
  if (seen > 0 && seen <= folioBatch) lruAddDrain(k);
  return stay;
}

/** drop_pagecache_sb of all file systems, the one mounted first before the others, and of each the newest file first. `mounted` are their devices. */
export function dropPagecache(k: Kernel, mounted: readonly string[]): void {
  const rank = ({ device }: AddressSpace) => mounted.indexOf(device);
  lruAddDrain(k);
  const objects = k.objects.filter((object) => object && object.kind !== 'ramfs' && object.kind !== 'special');
  objects.sort((a, b) => rank(a!) - rank(b!) || b!.inode - a!.inode);
  for (const object of objects) invalidateMappingPages(k, object!, 0, Number.MAX_SAFE_INTEGER);
  k.vmstat.drop_pagecache++;
}

/** posix_fadvise dontneed: written first, then dropped. What stays may wait in some processor's batch: these are emptied, and all is tried again. */
export function fadviseDontneed(k: Kernel, object: AddressSpace, from: number, to: number): void {
  if (object.kind === 'disk') writePages(k, object, from, to);
  lruAddDrain(k);
  if (invalidateMappingPages(k, object, from, to) === 0) return;
  lruAddDrain(k);
  invalidateMappingPages(k, object, from, to);
}
