/** include/linux/mm_inline.h: how a page gets on and off the lists of generations. */
import { assert } from '../../sim/contract/assert.ts';
import {
  MAX_NR_GENS,
  PG_ACTIVE,
  PG_DIRTY,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
  PG_WRITEBACK,
} from './frames.ts';
import type { Kernel } from './kernel.ts';
import {
  GEN_TYPES,
  type GenType,
  genOfSeq,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  LRU_REFS_MAX,
  type LruGenFolio,
  MIN_NR_GENS,
} from './lru-gen-state.ts';
import { updateStat } from './rstat.ts';

/** lru_tier_from_refs: order_base_2(refs + 1). */
export const tierFromRefs = (refs: number): number => (refs === 0 ? 0 : 32 - Math.clz32(refs));

export function lruGenOf(k: Kernel, groupId: number): LruGenFolio {
  return k.lruGen!.lruvecs[groupId]!;
}

/** folio_is_file_lru. */
export const typeOf = (k: Kernel, frame: number): GenType =>
  k.frames.flags[frame]! & PG_SWAPBACKED ? LRU_GEN_ANON : LRU_GEN_FILE;

/** folio_lru_gen: -1 where it is on no list of a generation. */
export const folioLruGen = (k: Kernel, frame: number): number => k.frames.lruGen[frame]! - 1;

/** folio_lru_refs: uses by descriptor beyond the first. */
export const folioLruRefs = (k: Kernel, frame: number): number =>
  k.frames.lruRefs[frame]! + (k.frames.flags[frame]! & PG_WORKINGSET ? 1 : 0);

/** folio_clear_lru_refs. */
export function clearLruRefs(k: Kernel, frame: number): void {
  k.frames.flags[frame]! &= ~(PG_REFERENCED | PG_WORKINGSET);
  k.frames.lruRefs[frame] = 0;
}

/** __update_lru_size of a list that meminfo shows. */
function updateLruSize(k: Kernel, { group }: LruGenFolio, type: GenType, active: boolean, pages: number): void {
  updateStat(k, group, pages);
  k.frames.updateLruSize(group.id, type * 2 + (active ? 1 : 0), pages);
}

/** lru_gen_update_size: from one generation to another, or on and off (-1). */
export function lruGenUpdateSize(k: Kernel, lrugen: LruGenFolio, frame: number, oldGen: number, newGen: number): void {
  const type = typeOf(k, frame);
  const pages = k.frames.sizeOf(frame);
  const zones = k.zones.length;
  const zone = k.frames.zoneOf(frame);
  if (oldGen >= 0) {
    const left = (lrugen.nrPages[(oldGen * 2 + type) * zones + zone]! -= pages);
    assert(left >= 0, 'no more pages leave a generation than are in it');
  }
  if (newGen >= 0) lrugen.nrPages[(newGen * 2 + type) * zones + zone]! += pages;
  if (oldGen < 0) updateLruSize(k, lrugen, type, lrugen.isActive(newGen), pages);
  else if (newGen < 0) updateLruSize(k, lrugen, type, lrugen.isActive(oldGen), -pages);
  else if (!lrugen.isActive(oldGen) && lrugen.isActive(newGen)) {
    updateLruSize(k, lrugen, type, false, -pages);
    updateLruSize(k, lrugen, type, true, pages);
  }
}

/** inc_max_seq: which generations count as active moves on by one. */
export function lruGenShiftActive(k: Kernel, lrugen: LruGenFolio): void {
  for (const type of GEN_TYPES) {
    const delta = lrugen.pagesOf(lrugen.maxSeq - 1, type) - lrugen.pagesOf(lrugen.maxSeq + 1, type);
    if (delta === 0) continue;
    updateLruSize(k, lrugen, type, false, delta);
    updateLruSize(k, lrugen, type, true, -delta);
  }
}

/** The generation that a page joins. */
function seqForFolio(lrugen: LruGenFolio, type: GenType, flags: number, reclaiming: boolean): number {
  if (flags & PG_ACTIVE) return lrugen.maxSeq;
  const isPending = (flags & PG_RECLAIM) !== 0 && (flags & (PG_DIRTY | PG_WRITEBACK)) !== 0;
  if ((type === LRU_GEN_ANON && !(flags & PG_SWAPCACHE)) || isPending) return lrugen.maxSeq - 1;
  const oldest = lrugen.minSeq[type];
  return reclaiming || oldest + MIN_NR_GENS >= lrugen.maxSeq ? oldest : oldest + 1;
}

/** lru_gen_add_folio. @returns false where the page belongs on another list: it is unevictable, or there are no generations. */
export function lruGenAddFolio(k: Kernel, frame: number, reclaiming: boolean): boolean {
  const { frames } = k;
  const flags = frames.flags[frame]!;
  if (!k.lruGen || flags & PG_UNEVICTABLE) return false;
  const groupId = frames.group[frame]!;
  const lrugen = lruGenOf(k, groupId);
  const type = typeOf(k, frame);
  const gen = genOfSeq(seqForFolio(lrugen, type, flags, reclaiming));
  frames.lruGen[frame] = gen + 1;
  if (flags & PG_ACTIVE) {
    frames.flags[frame] = flags & ~(PG_REFERENCED | PG_ACTIVE);
    frames.lruRefs[frame] = 0;
  }
  lruGenUpdateSize(k, lrugen, frame, -1, gen);
  const list = frames.genListOf(groupId, gen, type, frames.zoneOf(frame));
  if (reclaiming) frames.linkBefore(frame, list);
  else frames.linkAfter(frame, list);
  return true;
}

/** lru_gen_del_folio. @returns false where it was on no list of a generation. */
export function lruGenDelFolio(k: Kernel, frame: number, reclaiming: boolean): boolean {
  if (!k.lruGen) return false;
  const gen = folioLruGen(k, frame);
  if (gen < 0) return false;
  const lrugen = lruGenOf(k, k.frames.group[frame]!);
  k.frames.lruGen[frame] = 0;
  if (!reclaiming && lrugen.isActive(gen)) k.frames.flags[frame]! |= PG_ACTIVE;
  lruGenUpdateSize(k, lrugen, frame, gen, -1);
  k.frames.unlink(frame);
  return true;
}

/** folio_inc_refs: a use by descriptor. */
export function folioIncRefs(k: Kernel, frame: number): void {
  const { flags, lruRefs } = k.frames;
  const now = flags[frame]!;
  if (now & PG_UNEVICTABLE) return;
  if (!(now & PG_REFERENCED)) flags[frame] = now | PG_REFERENCED;
  else if (!(now & PG_WORKINGSET)) flags[frame] = now | PG_WORKINGSET;
  else if (lruRefs[frame]! < LRU_REFS_MAX) lruRefs[frame]!++;
}

/** folio_update_gen: promotes a page that was used. It gets on the list of its generation when reclaim comes by. @returns the old one, or -1. */
export function folioUpdateGen(k: Kernel, frame: number, gen: number): number {
  const old = folioLruGen(k, frame);
  // Isolated: shrink_folio_list sees it.
  if (old < 0) {
    k.frames.flags[frame]! |= PG_REFERENCED;
    return -1;
  }
  clearLruRefs(k, frame);
  k.frames.lruGen[frame] = gen + 1;
  return old;
}

/** folio_inc_gen: from the oldest generation to the next. @returns where the page is now. */
export function folioIncGen(k: Kernel, lrugen: LruGenFolio, frame: number, reclaiming: boolean): number {
  const oldGen = genOfSeq(lrugen.minSeq[typeOf(k, frame)]);
  const now = folioLruGen(k, frame);
  if (now >= 0 && now !== oldGen) return now;
  const newGen = (oldGen + 1) % MAX_NR_GENS;
  clearLruRefs(k, frame);
  if (reclaiming) k.frames.flags[frame]! |= PG_RECLAIM;
  k.frames.lruGen[frame] = newGen + 1;
  lruGenUpdateSize(k, lrugen, frame, oldGen, newGen);
  return newGen;
}
