/**
 * mm/hugetlb.c: a pool of pages of 2 MiB, set aside by vm.nr_hugepages, for mappings that ask for them. A mapping reserves its pages
 * when it is made, so that its faults cannot fail; a copy of a private mapping, made by fork, has reserved nothing.
 */
import { FAULT_DONE, FAULT_SIGBUS, type FaultResult } from './fault.ts';
import { HPAGE_PMD_NR, PG_EXCLUSIVE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace, Mm, Vma } from './mm-types.ts';
import { accountPageTables, allocHugePage, freePage } from './page-alloc.ts';
import { frameOfPte, Pmd, PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG, pteOf } from './page-table.ts';
import { VM_NORESERVE, VM_SHARED, VM_WRITE } from './vm-flags.ts';

/** Free pages of the pool, as frames. */
const pools = new WeakMap<Kernel, number[]>();

function poolOf(k: Kernel): number[] {
  let pool = pools.get(k);
  if (!pool) {
    pool = [];
    pools.set(k, pool);
  }
  return pool;
}

/** persistent_huge_pages. */
const persistent = (k: Kernel): number => k.hugepagesTotal - k.hugepagesSurplus;

function growPool(k: Kernel): boolean {
  const head = allocHugePage(k, k.root, true);
  if (head < 0) return false;
  poolOf(k).unshift(head);
  k.hugepagesTotal++;
  k.hugepagesFree++;
  return true;
}

/** remove_pool_huge_page. */
function shrinkPool(k: Kernel): void {
  freePage(k, poolOf(k).pop()!);
  k.hugepagesTotal--;
  k.hugepagesFree--;
}

/**
 * set_max_huge_pages: the pool grows as far as there is memory, and shrinks down to what is used or reserved; what is used beyond it is
 * surplus, and goes when it is freed.
 */
export function setMaxHugePages(k: Kernel, wanted: number): void {
  while (k.hugepagesSurplus > 0 && wanted > persistent(k)) k.hugepagesSurplus--;
  while (wanted > persistent(k) && growPool(k));
  const least = Math.max(wanted, k.hugepagesReserved + k.hugepagesTotal - k.hugepagesFree);
  while (persistent(k) > least) shrinkPool(k);
  while (wanted < persistent(k) && k.hugepagesSurplus < k.hugepagesTotal) k.hugepagesSurplus++;
}

/** alloc_surplus_huge_page: one beyond the pool, of which there may be vm.nr_overcommit_hugepages. */
function allocSurplusHugePage(k: Kernel): boolean {
  if (k.hugepagesSurplus >= k.hugepagesOvercommit || !growPool(k)) return false;
  k.hugepagesSurplus++;
  return true;
}

/** gather_surplus_pages. @returns whether so many more are reserved. */
function gatherSurplusPages(k: Kernel, pages: number): boolean {
  let fresh = 0;
  while (k.hugepagesReserved + pages > k.hugepagesFree) {
    if (!allocSurplusHugePage(k)) {
      returnSurplusPages(k, fresh);
      return false;
    }
    fresh++;
  }
  k.hugepagesReserved += pages;
  return true;
}

function returnSurplusPages(k: Kernel, pages: number): void {
  for (let left = Math.min(pages, k.hugepagesSurplus); left > 0 && k.hugepagesFree > 0; left--) {
    shrinkPool(k);
    k.hugepagesSurplus--;
  }
}

/** return_unused_surplus_pages: reservations end, and with them pages beyond the pool. */
function unreserve(k: Kernel, pages: number): void {
  k.hugepagesReserved -= pages;
  returnSurplusPages(k, pages);
}

const hugeKeys = (start: number, end: number): number[] => {
  const keys: number[] = [];
  for (let key = Math.floor(start / HPAGE_PMD_NR); key * HPAGE_PMD_NR < end; key++) keys.push(key);
  return keys;
};

/** Which pages are reserved: of a shared mapping by the object, of a private one by the process that made it. */
const reservedBy = (vma: Vma): Set<number> => (vma.object ?? vma.mm).hugetlbReserved;
/** A page's number there. */
const numberOf = (vma: Vma, key: number): number =>
  vma.object ? Math.floor(vma.linearIndex(key * HPAGE_PMD_NR) / HPAGE_PMD_NR) : key;

/** hugetlb_reserve_pages for a fresh mapping. @returns whether the pool has so many. */
export function hugetlbReservePages(k: Kernel, vma: Vma): boolean {
  if (vma.flags & VM_NORESERVE) return true;
  const own = reservedBy(vma);
  const wanted = hugeKeys(vma.start, vma.end)
    .map((key) => numberOf(vma, key))
    .filter((number) => !own.has(number) && !(vma.object && vma.object.get(number) !== 0));
  if (!gatherSurplusPages(k, wanted.length)) return false;
  for (const number of wanted) own.add(number);
  return true;
}

/** alloc_huge_page: one that was reserved, or one that nobody has reserved; -1 where there is none. */
function allocPoolPage(k: Kernel, reserved: Set<number>, number: number): number {
  if (reserved.delete(number)) k.hugepagesReserved--;
  else if (k.hugepagesFree - k.hugepagesReserved <= 0 && !allocSurplusHugePage(k)) return -1;
  k.hugepagesFree--;
  const head = poolOf(k).pop()!;
  k.frames.compoundMapcount[head >> 9] = 0;
  return head;
}

/** free_huge_page. */
function freePoolPage(k: Kernel, head: number): void {
  k.frames.flags[head]! &= ~PG_EXCLUSIVE;
  poolOf(k).push(head);
  k.hugepagesFree++;
  if (k.hugepagesSurplus > 0) returnSurplusPages(k, 1);
}

/** hugetlb_fault. */
export function hugetlbFault(k: Kernel, vma: Vma, page: number, write: boolean): FaultResult {
  const key = Math.floor(page / HPAGE_PMD_NR);
  const pmd = vma.mm.pmds.get(key);
  if (!pmd) return hugetlbNoPage(k, vma, key, write);
  if (write && !(pmd.huge & PTE_WRITE)) return hugetlbWp(k, vma, key, pmd);
  pmd.huge |= PTE_YOUNG | (write ? PTE_DIRTY : 0);
  return FAULT_DONE;
}

/** hugetlb_no_page: a private page is not writable until it is written, and exclusive then. */
function hugetlbNoPage(k: Kernel, vma: Vma, key: number, write: boolean): FaultResult {
  const { object, mm } = vma;
  const number = numberOf(vma, key);
  let head = object ? object.get(number) : 0;
  if (head === 0) {
    head = allocPoolPage(k, vma.inherited && !object ? new Set() : reservedBy(vma), number);
    if (head < 0) return FAULT_SIGBUS;
    object?.set(number, head);
  }
  const writable = vma.flags & VM_WRITE && (object !== null || write);
  if (!object) k.frames.flags[head]! |= PG_EXCLUSIVE;
  k.frames.compoundMapcount[head >> 9]!++;
  const pmd = new Pmd();
  pmd.huge = pteOf(head, PTE_PRESENT | PTE_YOUNG | (write ? PTE_DIRTY : 0) | (writable ? PTE_WRITE : 0));
  mm.noteUpper(key * HPAGE_PMD_NR);
  mm.pmds.set(key, pmd);
  mm.hugetlbPages++;
  accountPageTables(k, mm);
  return FAULT_DONE;
}

/** hugetlb_wp: a private page of a family. Who made the mapping and finds no page takes it away from the copies. */
function hugetlbWp(k: Kernel, vma: Vma, key: number, pmd: Pmd): FaultResult {
  const head = frameOfPte(pmd.huge);
  const { compoundMapcount, flags } = k.frames;
  if (compoundMapcount[head >> 9]! > 1) {
    const fresh = allocPoolPage(k, new Set(), key);
    if (fresh >= 0) {
      compoundMapcount[head >> 9]!--;
      flags[fresh]! |= PG_EXCLUSIVE;
      compoundMapcount[fresh >> 9] = 1;
      pmd.huge = pteOf(fresh, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | PTE_WRITE);
      return FAULT_DONE;
    }
    if (vma.inherited) return FAULT_SIGBUS;
    unmapRefPrivate(k, vma, key, head);
  }
  flags[head]! |= PG_EXCLUSIVE;
  pmd.huge |= PTE_WRITE | PTE_DIRTY | PTE_YOUNG;
  return FAULT_DONE;
}

/** unmap_ref_private: the copies' next access finds nothing, and ends them. */
function unmapRefPrivate(k: Kernel, vma: Vma, key: number, head: number): void {
  for (const { mm } of k.tasks) {
    const other = mm.pmds.get(key);
    if (mm === vma.mm || !other || frameOfPte(other.huge) !== head) continue;
    mm.pmds.delete(key);
    mm.hugetlbPages--;
    k.frames.compoundMapcount[head >> 9]!--;
  }
}

/** unmap_hugepage_range, and the reservations of what is unmapped for good where `vma` goes. */
export function unmapHugepageRange(k: Kernel, vma: Vma, start: number, end: number): void {
  const { mm, object } = vma;
  for (const key of hugeKeys(start, end)) {
    const pmd = mm.pmds.get(key);
    if (!pmd) continue;
    mm.pmds.delete(key);
    mm.hugetlbPages--;
    const head = frameOfPte(pmd.huge);
    if (--k.frames.compoundMapcount[head >> 9]! === 0 && !object) freePoolPage(k, head);
  }
}

/** hugetlb_vm_op_close: reservations of a private mapping that were not used. */
export function hugetlbClose(k: Kernel, vma: Vma): void {
  if (vma.object || vma.inherited) return;
  let unused = 0;
  for (const key of hugeKeys(vma.start, vma.end)) if (vma.mm.hugetlbReserved.delete(key)) unused++;
  unreserve(k, unused);
}

/** hugetlbfs_evict_inode: a shared mapping's pages go with its last user. */
export function hugetlbEvict(k: Kernel, object: AddressSpace): void {
  for (const number of [...object.pagesIn(0, Math.ceil(object.sizeBytes / 2 ** 21))]) {
    freePoolPage(k, object.get(number));
    object.set(number, 0);
  }
  unreserve(k, object.hugetlbReserved.size);
  object.hugetlbReserved.clear();
}

/** copy_hugetlb_page_range: private pages are shared with the child, and neither may write. */
export function copyHugetlbPageRange(k: Kernel, vma: Vma, to: Mm): void {
  if (vma.flags & VM_SHARED) return;
  for (const key of hugeKeys(vma.start, vma.end)) {
    const pmd = vma.mm.pmds.get(key);
    if (!pmd) continue;
    const head = frameOfPte(pmd.huge);
    k.frames.flags[head]! &= ~PG_EXCLUSIVE;
    k.frames.compoundMapcount[head >> 9]!++;
    pmd.huge &= ~PTE_WRITE;
    const copy = new Pmd();
    copy.huge = pmd.huge;
    to.noteUpper(key * HPAGE_PMD_NR);
    to.pmds.set(key, copy);
    to.hugetlbPages++;
  }
}
