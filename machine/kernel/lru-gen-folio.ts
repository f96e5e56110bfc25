/** include/linux/mmzone.h and mm_inline.h: the generations of a group's pages, and how a page gets on and off their lists. */
import { createRandom, type Random } from '../../sim/contract/random.ts';
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
import type { MemCgroup } from './mem-cgroup.ts';
import type { Mm } from './mm-types.ts';
import type { Pmd } from './page-table.ts';
import { updateStat } from './rstat.ts';

export const MIN_NR_GENS = 2;
export const MAX_NR_TIERS = 4;
/** LRU_REFS_WIDTH is 2 bits. */
export const LRU_REFS_MAX = 3;
export const MIN_LRU_BATCH = 64;
export const MAX_LRU_BATCH = MIN_LRU_BATCH * 64;

export const LRU_GEN_ANON = 0;
export const LRU_GEN_FILE = 1;
export type GenType = typeof LRU_GEN_ANON | typeof LRU_GEN_FILE;
export const GEN_TYPES: readonly GenType[] = [LRU_GEN_ANON, LRU_GEN_FILE];

/** The list of address spaces is a ring with a head of its own. */
export const FIFO = 'fifo';

/** lru_gen_mm_list and lru_gen_mm_state: the address spaces of a group, and how far the walk through their tables is. */
export interface LruGenMmState {
  readonly fifo: Mm[];
  seq: number;
  head: Mm | typeof FIFO | undefined;
  tail: Mm | typeof FIFO | undefined;
  /** Tables worth a look at the next walk, of this and of the next generation: undefined before the first walk, when all are. */
  readonly filters: [Set<Pmd> | undefined, Set<Pmd> | undefined];
}

/** struct lru_gen_folio. Counts by type and tier are at `tierOf(type, tier)`. */
export class LruGenFolio {
  readonly group: MemCgroup;
  maxSeq = MIN_NR_GENS + 1;
  readonly minSeq: [number, number] = [0, 0];
  /** When each generation began, in microseconds. */
  readonly timestamps: number[];
  readonly nrPages: Int32Array;
  readonly avgRefaulted = new Float64Array(2 * MAX_NR_TIERS);
  readonly avgTotal = new Float64Array(2 * MAX_NR_TIERS);
  readonly protectedPages = new Float64Array(2 * MAX_NR_TIERS);
  readonly evicted = new Float64Array(2 * MAX_NR_TIERS);
  readonly refaulted = new Float64Array(2 * MAX_NR_TIERS);
  readonly mmState: LruGenMmState = {
    fifo: [],
    seq: MIN_NR_GENS,
    head: undefined,
    tail: undefined,
    filters: [undefined, undefined],
  };
  /** Its place among the groups, for reclaim of all memory. */
  memcgGen = 0;
  seg: 'default' | 'head' | 'tail' = 'default';

  constructor(group: MemCgroup, zones: number, nowUs: number) {
    this.group = group;
    this.nrPages = new Int32Array(MAX_NR_GENS * 2 * zones);
    this.timestamps = new Array(MAX_NR_GENS).fill(nowUs);
  }

  /** get_nr_gens. */
  nrGens(type: GenType): number {
    return this.maxSeq - this.minSeq[type] + 1;
  }

  /** Pages of a type in the generation of `seq`. */
  pagesOf(seq: number, type: GenType): number {
    const zones = this.nrPages.length / (MAX_NR_GENS * 2);
    const first = (genOfSeq(seq) * 2 + type) * zones;
    let sum = 0;
    for (let zone = 0; zone < zones; zone++) sum += this.nrPages[first + zone]!;
    return sum;
  }

  /** lru_gen_is_active: the two youngest. */
  isActive(gen: number): boolean {
    return gen === genOfSeq(this.maxSeq) || gen === genOfSeq(this.maxSeq - 1);
  }
}

export const MEMCG_NR_GENS = 3;
export const MEMCG_NR_BINS = 8;

/** What a node keeps for generations: those of each group, and the order of the groups (lru_gen_memcg). */
export class LruGenNode {
  readonly lruvecs: (LruGenFolio | undefined)[] = [];
  memcgSeq = 0;
  readonly nrMemcgs: number[] = new Array(MEMCG_NR_GENS).fill(0);
  readonly memcgs: LruGenFolio[][][] = Array.from({ length: MEMCG_NR_GENS }, () =>
    Array.from({ length: MEMCG_NR_BINS }, () => []),
  );
  /** reclaim_state->mm_walk: whoever reclaims has a place to count promotions in. */
  mmWalk = false;
  /** The last tick that reclaim has seen. */
  tick = 0;
  /** get_random_u32_below. */
  private readonly random: Random = createRandom(1, 'lru_gen');

  /** get_random_u32_below(MEMCG_NR_BINS): here a fixed row of random numbers. */
  anyBin(): number {
    return this.random.integer(0, MEMCG_NR_BINS - 1);
  }

  /** lru_gen_init_lruvec and lru_gen_online_memcg. */
  onlineMemcg(group: MemCgroup, zones: number, nowUs: number): void {
    const lrugen = new LruGenFolio(group, zones, nowUs);
    lrugen.memcgGen = this.memcgSeq % MEMCG_NR_GENS;
    this.lruvecs[group.id] = lrugen;
    this.memcgs[lrugen.memcgGen]![this.anyBin()]!.push(lrugen);
    this.nrMemcgs[lrugen.memcgGen]!++;
  }
}

/** lru_gen_from_seq. */
export const genOfSeq = (seq: number): number => seq % MAX_NR_GENS;

/** Where the counts of a tier are. */
export const tierOf = (type: GenType, tier: number): number => type * MAX_NR_TIERS + tier;

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
  if (oldGen >= 0) lrugen.nrPages[(oldGen * 2 + type) * zones + zone]! -= pages;
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
