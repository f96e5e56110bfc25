/** mm/vmscan.c, lru_gen_look_around: where reclaim finds one entry used, it looks at those beside it as well. */

import { PG_REFERENCED } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { folioLruGen, lruGenOf, typeOf } from './lru-gen-folio.ts';
import { suitableToScan, updateBloomFilter } from './lru-gen-mm-list.ts';
import { genOfSeq, LRU_GEN_ANON, MIN_LRU_BATCH } from './lru-gen-state.ts';
import { folioToAge, noteDirtyEntry, promoteFolio } from './lru-gen-walk.ts';
import type { Vma } from './mm-types.ts';
import { type Pmd, PTE_YOUNG, PTRS_PER_PTE } from './page-table.ts';
import { folioActivate } from './swap-lru.ts';

/** The entries around `page`, of one table and mapping, and not more than a batch. */
function rangeAround(vma: Vma, page: number): { start: number; end: number } {
  const first = Math.floor(page / PTRS_PER_PTE) * PTRS_PER_PTE;
  const start = Math.max(first, vma.start);
  const end = Math.min(first + PTRS_PER_PTE, vma.end);
  if (end - start <= MIN_LRU_BATCH) return { start, end };
  if (page - start < MIN_LRU_BATCH / 2) return { start, end: start + MIN_LRU_BATCH };
  if (end - page < MIN_LRU_BATCH / 2) return { start: end - MIN_LRU_BATCH, end };
  return { start: page - MIN_LRU_BATCH / 2, end: page + MIN_LRU_BATCH / 2 };
}

/** @returns whether the entry that maps the isolated page was used. */
export function lruGenLookAround(k: Kernel, folio: number, vma: Vma, page: number, pmd: Pmd): boolean {
  const own = pmd.get(page % PTRS_PER_PTE);
  if (!(own & PTE_YOUNG)) return false;
  pmd.set(page % PTRS_PER_PTE, own & ~PTE_YOUNG);
  vma.mm.tlb?.flush(page, page + 1);
  const { start, end } = rangeAround(vma, page);
  if (end - start === 1) return true;
  const groupId = k.frames.group[folio]!;
  const lrugen = lruGenOf(k, groupId);
  const canSwap = typeOf(k, folio) === LRU_GEN_ANON;
  const newGen = genOfSeq(lrugen.maxSeq);
  let young = 1;
  for (let at = start; at < end; at++) {
    const pte = pmd.get(at % PTRS_PER_PTE);
    const beside = folioToAge(k, pte, groupId, canSwap);
    if (beside < 0) continue;
    pmd.set(at % PTRS_PER_PTE, pte & ~PTE_YOUNG);
    young++;
    noteDirtyEntry(k, beside, pte);
    if (k.lruGen!.mmWalk) promoteFolio(k, lrugen, beside);
    else if (folioLruGen(k, beside) < 0) k.frames.flags[beside]! |= PG_REFERENCED;
    else if (folioLruGen(k, beside) !== newGen) folioActivate(k, beside);
  }
  vma.mm.tlb?.flush(start, end);
  if (suitableToScan(end - start, young)) updateBloomFilter(lrugen.mmState, lrugen.maxSeq, pmd);
  return true;
}
