/** mm/mlock.c: the processor's batch of pages that are being locked and unlocked (mlock_pvec). */
import { PG_ACTIVE, PG_HEAD, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { isEvictable, lruvecAdd, lruvecDel } from './lruvec.ts';

const LRU_PAGE = 0;
const NEW_PAGE = 1;
const MUNLOCK = 2;

interface MlockBatch {
  readonly frames: number[];
  readonly how: number[];
  /** How often a page on the unevictable list is locked (page->mlock_count); it may count too few, never too many. */
  readonly counts: Map<number, number>;
  /** Pages that are free as soon as the batch lets go of them. */
  readonly held: Set<number>;
}

const batchOf = new WeakMap<Kernel, MlockBatch>();

function own(k: Kernel): MlockBatch {
  let batch = batchOf.get(k);
  if (!batch) {
    batch = { frames: [], how: [], counts: new Map(), held: new Set() };
    batchOf.set(k, batch);
  }
  return batch;
}

function enqueue(k: Kernel, frame: number, how: number): void {
  const batch = own(k);
  batch.frames.push(frame);
  batch.how.push(how);
  if (batch.frames.length === k.profile.features.folioBatch || k.frames.flags[frame]! & PG_HEAD) mlockPageDrain(k);
}

function noteMlocked(k: Kernel, frame: number): void {
  const pages = k.frames.sizeOf(frame);
  k.frames.flags[frame]! |= PG_MLOCKED;
  k.vmstat.nr_mlock += pages;
  k.vmstat.unevictable_pgs_mlocked += pages;
}

/** mlock_folio: of a page that is on a list, or on its way to one. */
export function mlockFolio(k: Kernel, frame: number): void {
  if (!(k.frames.flags[frame]! & PG_MLOCKED)) noteMlocked(k, frame);
  enqueue(k, frame, LRU_PAGE);
}

/** mlock_new_page: of a fresh page, which gets to its list through this batch. */
export function mlockNewPage(k: Kernel, frame: number): void {
  noteMlocked(k, frame);
  enqueue(k, frame, NEW_PAGE);
}

/** munlock_page. */
export function munlockPage(k: Kernel, frame: number): void {
  enqueue(k, frame, MUNLOCK);
}

/** mlock_page_drain_local. */
export function mlockPageDrain(k: Kernel): void {
  const batch = batchOf.get(k);
  if (!batch || batch.frames.length === 0) return;
  for (let i = 0; i < batch.frames.length; i++) {
    const frame = batch.frames[i]!;
    if (batch.how[i] === LRU_PAGE) mlockNow(k, batch, frame);
    else if (batch.how[i] === NEW_PAGE) mlockNewNow(k, batch, frame);
    else munlockNow(k, batch, frame);
  }
  batch.frames.length = 0;
  batch.how.length = 0;
  const held = [...batch.held];
  batch.held.clear();
  for (const frame of held) k.hooks.freePage(frame);
}

/** __mlock_page. */
function mlockNow(k: Kernel, batch: MlockBatch, frame: number): void {
  const { flags } = k.frames;
  if (!(flags[frame]! & PG_LRU)) return;
  if (isEvictable(k, frame)) {
    if (flags[frame]! & PG_UNEVICTABLE) rescue(k, frame);
    return;
  }
  if (flags[frame]! & PG_UNEVICTABLE) {
    if (flags[frame]! & PG_MLOCKED) batch.counts.set(frame, (batch.counts.get(frame) ?? 0) + 1);
    return;
  }
  lruvecDel(k, frame);
  flags[frame] = (flags[frame]! & ~PG_ACTIVE) | PG_UNEVICTABLE;
  batch.counts.set(frame, flags[frame]! & PG_MLOCKED ? 1 : 0);
  lruvecAdd(k, frame);
  k.vmstat.unevictable_pgs_culled += k.frames.sizeOf(frame);
}

/** __mlock_new_page. */
function mlockNewNow(k: Kernel, batch: MlockBatch, frame: number): void {
  const { flags } = k.frames;
  if (!isEvictable(k, frame)) {
    flags[frame]! |= PG_UNEVICTABLE;
    batch.counts.set(frame, flags[frame]! & PG_MLOCKED ? 1 : 0);
    k.vmstat.unevictable_pgs_culled += k.frames.sizeOf(frame);
  }
  lruvecAdd(k, frame);
  flags[frame]! |= PG_LRU;
}

/** __munlock_page. */
function munlockNow(k: Kernel, batch: MlockBatch, frame: number): void {
  const { flags } = k.frames;
  const isolated = (flags[frame]! & PG_LRU) !== 0;
  if (isolated && flags[frame]! & PG_UNEVICTABLE) {
    const left = Math.max(0, (batch.counts.get(frame) ?? 0) - 1);
    if (left > 0) {
      batch.counts.set(frame, left);
      return;
    }
    batch.counts.delete(frame);
  }
  if (flags[frame]! & PG_MLOCKED) {
    const pages = k.frames.sizeOf(frame);
    flags[frame]! &= ~PG_MLOCKED;
    k.vmstat.nr_mlock -= pages;
    if (isolated || !(flags[frame]! & PG_UNEVICTABLE)) k.vmstat.unevictable_pgs_munlocked += pages;
  }
  if (isolated && flags[frame]! & PG_UNEVICTABLE && isEvictable(k, frame)) rescue(k, frame);
}

function rescue(k: Kernel, frame: number): void {
  lruvecDel(k, frame);
  k.frames.flags[frame]! &= ~PG_UNEVICTABLE;
  lruvecAdd(k, frame);
}

/** Whether the batch holds the page, so that it is free only when the batch is drained: the caller then frees nothing. */
export function isHeldByMlockBatch(k: Kernel, frame: number): boolean {
  const batch = batchOf.get(k);
  if (!batch || batch.frames.length === 0 || !batch.frames.includes(frame)) return false;
  batch.held.add(frame);
  return true;
}

/** The count of a page that is free, or that reclaim or a split takes off its list. */
export function forgetMlockCount(k: Kernel, frame: number): void {
  batchOf.get(k)?.counts.delete(frame);
}
