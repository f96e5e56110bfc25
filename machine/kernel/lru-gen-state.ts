/** include/linux/mmzone.h: what is kept of the generations of each group's pages. */
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { MAX_NR_GENS } from './frames.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import type { Mm } from './mm-types.ts';
import type { Pmd } from './page-table.ts';

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
