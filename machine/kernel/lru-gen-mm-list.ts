/** mm/vmscan.c: the address spaces whose tables the ageing walks through, and which of those tables. */
import type { Kernel } from './kernel.ts';
import { lruGenOf } from './lru-gen-folio.ts';
import { FIFO, type LruGenFolio, type LruGenMmState } from './lru-gen-state.ts';
import type { Mm } from './mm-types.ts';
import type { Pmd } from './page-table.ts';
import { jiffiesOf } from './timer.ts';

/** lru_gen_mm_walk, of one ageing. */
export interface LruGenMmWalk {
  readonly lrugen: LruGenFolio;
  readonly seq: number;
  readonly canSwap: boolean;
  forceScan: boolean;
}

function nextOf({ fifo }: LruGenMmState, at: Mm | typeof FIFO): Mm | typeof FIFO {
  return fifo[at === FIFO ? 0 : fifo.indexOf(at) + 1] ?? FIFO;
}

/** lru_gen_add_mm. */
export function lruGenAddMm(k: Kernel, mm: Mm): void {
  if (!k.lruGen) return;
  const state = lruGenOf(k, mm.group.id).mmState;
  if (state.tail === FIFO) state.tail = mm;
  state.fifo.push(mm);
}

/** lru_gen_del_mm. */
export function lruGenDelMm(k: Kernel, mm: Mm): void {
  if (!k.lruGen) return;
  const state = lruGenOf(k, mm.group.id).mmState;
  const at = state.fifo.indexOf(mm);
  if (at < 0) return;
  if (state.head === mm) state.head = state.fifo[at - 1] ?? FIFO;
  if (state.tail === mm) state.tail = nextOf(state, mm);
  state.fifo.splice(at, 1);
}

/**
 * get_next_mm: one that was given the processor since the last walk. Who runs on is given it again after each tick: threads of the kernel
 * (RCU's, and the workers') come in between.
 */
function wasUsed(k: Kernel, mm: Mm): boolean {
  const tick = jiffiesOf(k.nowUs);
  const used = mm.lruGenUsed || (mm === k.current?.mm && tick > mm.lruGenWalkedAt);
  mm.lruGenUsed = false;
  mm.lruGenWalkedAt = tick;
  return used;
}

/** iterate_mm_list. @returns the next one to walk, and whether the list has been gone through. */
export function iterateMmList(k: Kernel, walk: LruGenMmWalk): { mm: Mm | undefined; last: boolean } {
  const state = walk.lrugen.mmState;
  if (walk.seq <= state.seq) return { mm: undefined, last: false };
  let at = state.head ?? FIFO;
  const first = at === FIFO;
  for (;;) {
    at = nextOf(state, at);
    state.head = at;
    if (at === FIFO) {
      state.seq++;
      return { mm: undefined, last: true };
    }
    // Those that were added after the last walk are looked at as a whole.
    if (state.tail === undefined || state.tail === at) {
      state.tail = nextOf(state, at);
      walk.forceScan = true;
    }
    if (!wasUsed(k, at) && !walk.forceScan) continue;
    if (first) resetBloomFilter(state, walk.seq + 1);
    return { mm: at, last: false };
  }
}

/** test_bloom_filter: here nothing is taken for something else. */
export const testBloomFilter = ({ filters }: LruGenMmState, seq: number, pmd: Pmd): boolean =>
  filters[seq % 2]?.has(pmd) ?? true;

/** update_bloom_filter. */
export function updateBloomFilter({ filters }: LruGenMmState, seq: number, pmd: Pmd): void {
  filters[seq % 2]?.add(pmd);
}

function resetBloomFilter({ filters }: LruGenMmState, seq: number): void {
  filters[seq % 2] = new Set();
}

/** suitable_to_scan: on average one entry of a cache line was used. */
export const suitableToScan = (total: number, young: number): boolean => young * 8 >= total;
