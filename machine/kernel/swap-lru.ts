/** mm/swap.c: the per-CPU batches through which pages reach the LRU lists, and moves between lists. */
import {
  type Frames,
  PG_ACTIVE,
  PG_ANON,
  PG_DIRTY,
  PG_HEAD,
  PG_LRU,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TAIL,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
  PG_WRITEBACK,
} from './frames.ts';
import type { Kernel } from './kernel.ts';
import { folioIncRefs } from './lru-gen-folio.ts';
import { isEvictable, lruvecAdd, lruvecDel } from './lruvec.ts';
import { countMemcg } from './memcontrol.ts';
import { forgetMlockCount, mlockPageDrain } from './mlock-batch.ts';

/** PAGEVEC_SIZE. */
const batchOf = (k: Kernel): number => k.profile.features.folioBatch;

export interface LruBatches {
  readonly add: number[];
  readonly rotate: number[];
  readonly deactivateFile: number[];
  readonly deactivate: number[];
  readonly lazyfree: number[];
  readonly activate: number[];
  /** Those of pages that are on a list. */
  readonly ofListed: readonly number[][];
}

function newBatches(): LruBatches {
  const own = { add: [], rotate: [], deactivateFile: [], deactivate: [], lazyfree: [], activate: [] };
  return { ...own, ofListed: [own.rotate, own.deactivateFile, own.deactivate, own.lazyfree, own.activate] };
}

const batchesOf = new WeakMap<Kernel, LruBatches>();

export function batches(k: Kernel): LruBatches {
  let own = batchesOf.get(k);
  if (!own) {
    own = newBatches();
    batchesOf.set(k, own);
  }
  return own;
}

/** folio_add_lru: the page waits in a batch of the processor; a huge page goes on its list at once. */
export function folioAddLru(k: Kernel, frame: number): void {
  const { add } = batches(k);
  if (k.lruGen && k.inFault && !(k.frames.flags[frame]! & PG_UNEVICTABLE)) k.frames.flags[frame]! |= PG_ACTIVE;
  add.push(frame);
  if (add.length === batchOf(k) || k.frames.flags[frame]! & PG_HEAD) drainAdd(k);
}

function drainAdd(k: Kernel): void {
  const { add } = batches(k);
  const { flags } = k.frames;
  for (const frame of add) {
    const wasUnevictable = (flags[frame]! & PG_UNEVICTABLE) !== 0;
    if (isEvictable(k, frame)) flags[frame]! &= ~PG_UNEVICTABLE;
    else {
      flags[frame] = (flags[frame]! & ~PG_ACTIVE) | PG_UNEVICTABLE;
      forgetMlockCount(k, frame);
      if (!wasUnevictable) k.vmstat.unevictable_pgs_culled += k.frames.sizeOf(frame);
    }
    flags[frame]! |= PG_LRU;
    lruvecAdd(k, frame);
  }
  add.length = 0;
}

/** lru_add_drain. */
export function lruAddDrain(k: Kernel): void {
  const own = batches(k);
  if (own.add.length > 0) drainAdd(k);
  drain(k, own.rotate, rotateNow);
  drain(k, own.deactivateFile, deactivateFileNow);
  drain(k, own.deactivate, deactivateNow);
  drain(k, own.lazyfree, lazyfreeNow);
  drain(k, own.activate, activateNow);
  mlockPageDrain(k);
}

function drain(k: Kernel, batch: number[], move: (k: Kernel, frame: number) => void): void {
  for (const frame of batch) if (k.frames.flags[frame]! & PG_LRU) move(k, frame);
  batch.length = 0;
}

function enqueue(k: Kernel, batch: number[], frame: number, move: (k: Kernel, frame: number) => void): void {
  batch.push(frame);
  if (batch.length === batchOf(k) || k.frames.flags[frame]! & PG_HEAD) drain(k, batch, move);
}

/** Takes the frame out of every batch: it is about to be freed. */
function leaveBatches(k: Kernel, frame: number): void {
  const own = batches(k);
  leave(own.add, frame);
  for (const batch of own.ofListed) leave(batch, frame);
}

function leave(batch: number[], frame: number): void {
  for (let i = batch.length - 1; i >= 0; i--) if (batch[i] === frame) batch.splice(i, 1);
}

/** folio_rotate_reclaimable: written back and asked to be reclaimed, so to the tail. */
export function folioRotateReclaimable(k: Kernel, frame: number): void {
  const flags = k.frames.flags[frame]!;
  if (flags & (PG_DIRTY | PG_UNEVICTABLE) || !(flags & PG_LRU)) return;
  enqueue(k, batches(k).rotate, frame, rotateNow);
}

function rotateNow(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  if (flags[frame]! & PG_UNEVICTABLE) return;
  lruvecDel(k, frame);
  flags[frame]! &= ~PG_ACTIVE;
  lruvecAdd(k, frame, true);
  k.vmstat.pgrotated += k.frames.sizeOf(frame);
}

/** folio_activate. */
export function folioActivate(k: Kernel, frame: number): void {
  const flags = k.frames.flags[frame]!;
  if (flags & PG_LRU && !(flags & (PG_ACTIVE | PG_UNEVICTABLE))) enqueue(k, batches(k).activate, frame, activateNow);
}

function activateNow(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  if (flags[frame]! & (PG_ACTIVE | PG_UNEVICTABLE)) return;
  const pages = k.frames.sizeOf(frame);
  lruvecDel(k, frame);
  flags[frame]! |= PG_ACTIVE;
  lruvecAdd(k, frame);
  k.vmstat.pgactivate += pages;
  countMemcg(k, k.frames.group[frame]!, 'pgactivate', pages);
}

/** Whether its second use moves it to the active list. */
export function isActivatedByUse(k: Kernel, frame: number): boolean {
  const flags = k.frames.flags[frame]!;
  return !k.lruGen && (flags & PG_REFERENCED) !== 0 && !(flags & (PG_ACTIVE | PG_UNEVICTABLE));
}

/** folio_mark_accessed: unreferenced → referenced → active. */
export function folioMarkAccessed(k: Kernel, page: number): void {
  const { flags } = k.frames;
  const frame = flags[page]! & PG_TAIL ? k.frames.headOf(page) : page;
  const now = flags[frame]!;
  if (k.lruGen) folioIncRefs(k, frame);
  else if (!(now & PG_REFERENCED)) flags[frame] = now | PG_REFERENCED;
  else if (now & PG_UNEVICTABLE) return;
  else if (!(now & PG_ACTIVE)) {
    if (now & PG_LRU) folioActivate(k, frame);
    else if (batches(k).add.includes(frame)) flags[frame]! |= PG_ACTIVE;
    flags[frame]! &= ~PG_REFERENCED;
    k.groups[k.frames.group[frame]!]!.ageNonresident(k.frames.sizeOf(frame));
  }
}

/** deactivate_file_folio: invalidation could not free it, so reclaim shall soon. */
export function deactivateFileFolio(k: Kernel, frame: number): void {
  if (k.frames.flags[frame]! & PG_UNEVICTABLE) return;
  enqueue(k, batches(k).deactivateFile, frame, deactivateFileNow);
}

function deactivateFileNow(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  if (flags[frame]! & PG_UNEVICTABLE || k.frames.mapcountOf(frame) > 0) return;
  const active = (flags[frame]! & PG_ACTIVE) !== 0;
  lruvecDel(k, frame);
  flags[frame]! &= ~(PG_ACTIVE | PG_REFERENCED);
  if (flags[frame]! & (PG_WRITEBACK | PG_DIRTY)) {
    // The bit is readahead's too: what is dirty or of tmpfs keeps it.
    lruvecAdd(k, frame);
    flags[frame]! |= PG_RECLAIM;
  } else {
    lruvecAdd(k, frame, true);
    k.vmstat.pgrotated++;
  }
  if (active) {
    k.vmstat.pgdeactivate++;
    countMemcg(k, k.frames.group[frame]!, 'pgdeactivate');
  }
}

/** folio_deactivate: MADV_COLD. */
export function folioDeactivate(k: Kernel, frame: number): void {
  const flags = k.frames.flags[frame]!;
  if (flags & PG_LRU && (flags & PG_ACTIVE || k.lruGen) && !(flags & PG_UNEVICTABLE))
    enqueue(k, batches(k).deactivate, frame, deactivateNow);
}

function deactivateNow(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  if (!(flags[frame]! & PG_ACTIVE || k.lruGen) || flags[frame]! & PG_UNEVICTABLE) return;
  lruvecDel(k, frame);
  flags[frame]! &= ~(PG_ACTIVE | PG_REFERENCED);
  lruvecAdd(k, frame);
  k.vmstat.pgdeactivate += k.frames.sizeOf(frame);
  countMemcg(k, k.frames.group[frame]!, 'pgdeactivate', k.frames.sizeOf(frame));
}

/** mark_page_lazyfree: MADV_FREE makes an anonymous page one that may be dropped. */
export function markPageLazyfree(k: Kernel, frame: number): void {
  const flags = k.frames.flags[frame]!;
  if (flags & PG_LRU && flags & PG_ANON && flags & PG_SWAPBACKED && !(flags & (PG_SWAPCACHE | PG_UNEVICTABLE))) {
    enqueue(k, batches(k).lazyfree, frame, lazyfreeNow);
  }
}

function lazyfreeNow(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  const now = flags[frame]!;
  if (!(now & PG_ANON) || !(now & PG_SWAPBACKED) || now & (PG_SWAPCACHE | PG_UNEVICTABLE)) return;
  const pages = k.frames.sizeOf(frame);
  lruvecDel(k, frame);
  flags[frame] = now & ~(PG_ACTIVE | PG_REFERENCED | PG_SWAPBACKED);
  lruvecAdd(k, frame);
  k.vmstat.pglazyfree += pages;
  countMemcg(k, k.frames.group[frame]!, 'pglazyfree', pages);
}

/** Pages of all groups on one list. */
export function nodeListSize(frames: Frames, groups: readonly { readonly id: number }[], lru: number): number {
  let sum = 0;
  for (const group of groups) sum += frames.sizeOfList(group.id, lru);
  return sum;
}

/** Takes a frame that is about to be freed off its list. */
export function releaseFromLru(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  if (k.lruGen) k.frames.lruRefs[frame] = 0;
  if (flags[frame]! & PG_LRU) {
    for (const batch of batches(k).ofListed) leave(batch, frame);
    lruvecDel(k, frame);
    if (flags[frame]! & PG_UNEVICTABLE) forgetMlockCount(k, frame);
    flags[frame]! &= ~(PG_LRU | PG_ACTIVE | PG_UNEVICTABLE | PG_WORKINGSET);
  } else leaveBatches(k, frame);
}
