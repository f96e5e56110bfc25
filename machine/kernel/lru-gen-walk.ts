/** mm/vmscan.c, walk_mm: the ageing looks through page tables for what was used, and promotes it. */
import { PG_ANON, PG_DIRTY, PG_SWAPBACKED, PG_SWAPCACHE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { folioUpdateGen, lruGenUpdateSize } from './lru-gen-folio.ts';
import { type LruGenMmWalk, suitableToScan, testBloomFilter, updateBloomFilter } from './lru-gen-mm-list.ts';
import { genOfSeq, type LruGenFolio } from './lru-gen-state.ts';
import type { Mm, Vma } from './mm-types.ts';
import { frameOfPte, type Pmd, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_YOUNG, PTRS_PER_PTE } from './page-table.ts';
import { vmaHasRecency } from './recency.ts';
import { WALKED_US } from './recorded-prices.ts';
import { VM_HUGETLB, VM_LOCKED, VM_PFNMAP, VM_READ, VM_WRITE } from './vm-flags.ts';

/** should_skip_vma. */
function shouldSkipVma(k: Kernel, vma: Vma, { canSwap }: LruGenMmWalk): boolean {
  if (!(vma.flags & (VM_READ | VM_WRITE)) || vma.flags & (VM_HUGETLB | VM_LOCKED | VM_PFNMAP)) return true;
  if (!vmaHasRecency(k, vma)) return true;
  if (vma.object === null || vma.object.kind === 'shmem') return !canSwap;
  return vma.object.kind !== 'disk';
}

/** get_pfn_folio: the page of the group that the entry maps, where it counts; -1 where not. */
export function folioToAge(k: Kernel, pte: number, groupId: number, canSwap: boolean): number {
  if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL || !(pte & PTE_YOUNG)) return -1;
  const folio = k.frames.headOf(frameOfPte(pte));
  if (k.frames.group[folio] !== groupId) return -1;
  return k.frames.flags[folio]! & PG_SWAPBACKED && !canSwap ? -1 : folio;
}

/** What a walk makes of an entry that is dirty; of a disk's file the page was, when that was written. */
export function noteDirtyEntry(k: Kernel, folio: number, pte: number): void {
  const flags = k.frames.flags[folio]!;
  if (!(pte & PTE_DIRTY) || !(flags & (PG_ANON | PG_SWAPBACKED))) return;
  const isPlainAnon = flags & PG_ANON && flags & PG_SWAPBACKED && !(flags & PG_SWAPCACHE);
  if (!isPlainAnon) k.frames.flags[folio] = flags | PG_DIRTY;
}

/** folio_update_gen and update_batch_size: to the youngest generation. */
export function promoteFolio(k: Kernel, lrugen: LruGenFolio, folio: number): void {
  const gen = genOfSeq(lrugen.maxSeq);
  const old = folioUpdateGen(k, folio, gen);
  if (old >= 0 && old !== gen) lruGenUpdateSize(k, lrugen, folio, old, gen);
}

/** walk_pte_range over the part of a table that a mapping has. @returns entries that were used. */
function walkPteRange(
  k: Kernel,
  walk: LruGenMmWalk,
  vma: Vma,
  pmd: Pmd,
  first: number,
  from: number,
  to: number,
): number {
  const { lrugen, canSwap } = walk;
  let young = 0;
  for (let i = from; i < to; i++) {
    const pte = pmd.get(i);
    const folio = folioToAge(k, pte, lrugen.group.id, canSwap);
    if (folio < 0) continue;
    pmd.set(i, pte & ~PTE_YOUNG);
    young++;
    noteDirtyEntry(k, folio, pte);
    promoteFolio(k, lrugen, folio);
  }
  if (young > 0) vma.mm.tlb?.flush(first + from, first + to);
  k.nowUs += young * WALKED_US;
  return young;
}

/** walk_pmd_range_locked of a huge entry. */
function walkHugePmd(k: Kernel, { lrugen, canSwap }: LruGenMmWalk, vma: Vma, pmd: Pmd, first: number): void {
  const folio = folioToAge(k, pmd.huge, lrugen.group.id, canSwap);
  if (folio < 0) return;
  noteDirtyEntry(k, folio, pmd.huge);
  pmd.huge &= ~PTE_YOUNG;
  vma.mm.tlb?.flush(first, first + PTRS_PER_PTE);
  promoteFolio(k, lrugen, folio);
}

/** What of one table is to be looked at, in the order of addresses. */
interface TablePart {
  readonly vma: Vma;
  readonly from: number;
  readonly to: number;
}

/** walk_pmd_range of one table: those of several mappings that share it are looked at together. */
function walkTable(k: Kernel, walk: LruGenMmWalk, key: number, pmd: Pmd, parts: readonly TablePart[]): void {
  const { mmState } = walk.lrugen;
  const first = key * PTRS_PER_PTE;
  if (pmd.huge !== 0) {
    if (!(pmd.huge & PTE_SPECIAL)) walkHugePmd(k, walk, parts[0]!.vma, pmd, first);
    return;
  }
  if (!walk.forceScan) {
    if (!pmd.young) return;
    pmd.young = false;
    parts[0]!.vma.mm.tlb?.flush(first, first + PTRS_PER_PTE);
    if (!testBloomFilter(mmState, walk.seq, pmd)) return;
  }
  let total = 0;
  let young = 0;
  for (const { vma, from, to } of parts) {
    total += to - from;
    young += walkPteRange(k, walk, vma, pmd, first, from, to);
  }
  if (suitableToScan(total, young)) updateBloomFilter(mmState, walk.seq + 1, pmd);
}

/** walk_mm. */
export function walkMm(k: Kernel, mm: Mm, walk: LruGenMmWalk): void {
  const tables = new Map<number, TablePart[]>();
  for (const vma of mm.vmas) {
    if (shouldSkipVma(k, vma, walk)) continue;
    mm.eachPmd(vma.start, vma.end, (key) => {
      const first = key * PTRS_PER_PTE;
      const part = {
        vma,
        from: Math.max(vma.start, first) - first,
        to: Math.min(vma.end, first + PTRS_PER_PTE) - first,
      };
      const parts = tables.get(key);
      if (parts) parts.push(part);
      else tables.set(key, [part]);
    });
  }
  for (const [key, parts] of tables) walkTable(k, walk, key, mm.pmds.get(key)!, parts);
}
