/** mm/mmap.c: mappings are made, split, merged and taken away. Page numbers, ends excluded. */
import { splitHugePmd } from './huge-memory.ts';
import { hugetlbClose, hugetlbReservePages } from './hugetlb.ts';
import type { Kernel, Task } from './kernel.ts';
import { khugepagedEnterVma, khugepagedExit } from './khugepaged-slots.ts';
import { zapPageRange } from './memory.ts';
import { type AddressSpace, type Mm, Vma } from './mm-types.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { accountPageTables } from './page-alloc.ts';
import { newReadahead } from './readahead.ts';
import { updateHiwaterVm } from './rss.ts';
import { newObject, putObject, shmemZeroSetup } from './shmem.ts';
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_HEAP,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_STACK,
  VM_WRITE,
} from './vm-flags.ts';
import { chargeChain, chargeVma, tryChargeVma, unchargeVma } from './vma-slab.ts';

/** The real name of an error, or undefined. */
export type Errno = 'ENOMEM' | 'EINVAL' | 'EEXIST' | 'EACCES' | 'EFAULT' | 'EAGAIN' | 'EBUSY' | 'EPERM' | undefined;

/** vm_stat_account. */
export function vmStatAccount(mm: Mm, flags: number, pages: number): void {
  mm.totalVm += pages;
  if ((flags & (VM_EXEC | VM_WRITE | VM_STACK)) === VM_EXEC) mm.execVm += pages;
  else if (flags & VM_STACK) mm.stackVm += pages;
  else if (isData(flags)) mm.dataVm += pages;
}

export interface MmapRequest {
  readonly start: number;
  readonly pages: number;
  readonly flags: number;
  readonly object: AddressSpace | null;
  readonly pgoff: number;
  readonly name?: string;
}

/** is_data_mapping. */
const isData = (flags: number): boolean => (flags & (VM_WRITE | VM_SHARED | VM_STACK)) === VM_WRITE;

/** may_expand_vm: whether the limits of the process leave room for so many pages more. */
export function mayExpandVm({ mm, rlimits }: Task, flags: number, pages: number): boolean {
  if (mm.totalVm + pages > Math.floor(rlimits.as / 4096)) return false;
  return !isData(flags) || mm.dataVm + pages <= Math.floor(rlimits.data / 4096);
}

/** can_do_mlock: a limit of nothing at all forbids to ask. */
export const canDoMlock = ({ rlimits }: Task): boolean => rlimits.memlock > 0;

/** mlock_future_check: whether so many pages more may be locked, where they would be. */
export function mlockFutureCheck({ mm, rlimits }: Task, flags: number, pages: number): boolean {
  return !(flags & VM_LOCKED) || mm.lockedVm + pages <= Math.floor(rlimits.memlock / 4096);
}

/** mmap_region at a fixed place that must be free. */
export function mmapRegion(k: Kernel, task: Task, request: MmapRequest): Errno {
  const { mm } = task;
  const { start, object } = request;
  const isHuge = (request.flags & VM_HUGETLB) !== 0;
  const pages = isHuge ? Math.ceil(request.pages / 512) * 512 : request.pages;
  let { flags } = request;
  if (pages === 0 || (isHuge && start % 512 !== 0)) return 'EINVAL';
  if (mm.vmas.length > k.maxMapCount) return 'ENOMEM';
  const following = mm.vmas[mm.indexOf(start)];
  if (following && following.start < start + pages) return 'EEXIST';
  if (flags & VM_LOCKED && !canDoMlock(task)) return 'EPERM';
  if (!mlockFutureCheck(task, flags, pages)) return 'EAGAIN';
  if (!mayExpandVm(task, flags, pages)) return 'ENOMEM';
  if (flags & VM_NORESERVE && k.overcommitMemory === 2) flags &= ~VM_NORESERVE;
  let mapped = object;
  if ((flags & (VM_NORESERVE | VM_SHARED | VM_WRITE | VM_HUGETLB)) === VM_WRITE) {
    if (!vmEnoughMemory(k, pages)) return 'ENOMEM';
    flags |= VM_ACCOUNT;
  }
  if (flags & VM_SHARED && !object) {
    mapped = isHuge ? hugetlbObject(k, pages) : shmemZeroSetup(k, mm.group.id, pages, (flags & VM_NORESERVE) !== 0);
    if (!mapped) return 'ENOMEM';
  }
  const anonymous = mapped === null;
  const vma = new Vma(
    mm,
    start,
    start + pages,
    flags,
    mapped,
    anonymous ? start : request.pgoff,
    request.name ?? '',
    anonymous ? null : newReadahead(),
  );
  if (mapped) {
    mapped.users++;
    mapped.vmas.add(vma);
  }
  if (!allocVma(k, vma)) {
    if (flags & VM_ACCOUNT) k.committed -= pages;
    mapped?.vmas.delete(vma);
    if (mapped) putObject(k, mapped);
    return 'ENOMEM';
  }
  if (isHuge && !hugetlbReservePages(k, vma)) {
    mapped?.vmas.delete(vma);
    unchargeVma(k, vma);
    return 'ENOMEM';
  }
  mm.insert(vma);
  vmStatAccount(mm, flags, pages);
  if (flags & VM_LOCKED) mm.lockedVm += pages;
  vmaMerge(k, vma);
  return undefined;
}

/** hugetlb_file_setup: what is behind a shared anonymous mapping of huge pages. */
function hugetlbObject(k: Kernel, pages: number): AddressSpace {
  const object = newObject(k, 'hugetlb', '/anon_hugepage (deleted)', pages * 4096, false);
  object.links = 0;
  return object;
}

/** __split_vma: splits the mapping at `page`; a huge entry across the cut is split too (vma_adjust_trans_huge). */
export function splitVma(k: Kernel, vma: Vma, page: number): Vma {
  const { mm } = vma;
  if (page % 512 !== 0) {
    const pmd = mm.pmdAt(page);
    if (pmd && pmd.huge !== 0) splitHugePmd(k, vma, pmd);
  }
  const upper = new Vma(mm, page, vma.end, vma.flags, vma.object, vma.linearIndex(page), vma.name, vma.ra);
  vma.end = page;
  chargeVma(k, upper);
  upper.cloneAnonVma(vma);
  chargeChain(k, upper, vma.chainLength);
  if (vma.object) {
    vma.object.users++;
    vma.object.vmas.add(upper);
  }
  mm.insert(upper);
  return upper;
}

/**
 * The part [start, end) of a mapping, which is to get other flags and is then merged by the caller; undefined where there may be no more
 * mappings (split_vma). What joins a neighbour (vma_merge) makes none.
 */
export function vmaPart(k: Kernel, vma: Vma, start: number, end: number, flags: number): Vma | undefined {
  const { mm } = vma;
  const isFull = () => !joinsNeighbour(vma, start, end, flags) && mm.vmas.length >= k.maxMapCount;
  let part = vma;
  if (start > vma.start) {
    if (isFull()) return undefined;
    part = splitVma(k, vma, start);
  }
  if (end < part.end) {
    if (isFull()) return undefined;
    splitVma(k, part, end);
  }
  return part;
}

/** Whether the part at an edge of the mapping would be one with the neighbour there. */
function joinsNeighbour(vma: Vma, start: number, end: number, flags: number): boolean {
  const { vmas } = vma.mm;
  const at = vmas.indexOf(vma);
  const below = start === vma.start ? vmas[at - 1] : undefined;
  const above = end === vma.end ? vmas[at + 1] : undefined;
  return (
    (below?.flags === flags && continues(below, vma) && anonMergeable(vma, below)) ||
    (above?.flags === flags && continues(vma, above) && anonMergeable(vma, above))
  );
}

/** can_vma_merge: neighbours that could be one mapping. */
const mergeable = (lower: Vma, upper: Vma): boolean => lower.flags === upper.flags && continues(lower, upper);

/** Neighbours of the same thing, whatever their flags. */
function continues(lower: Vma, upper: Vma): boolean {
  return (
    lower.end === upper.start &&
    lower.object === upper.object &&
    lower.name === upper.name &&
    !(lower.flags & VM_HEAP && lower.name === '') &&
    lower.linearIndex(upper.start) === upper.pgoff
  );
}

/** is_mergeable_anon_vma: whether `neighbour` may take the pages of `vma` in, or has the same. */
function anonMergeable(vma: Vma, neighbour: Vma): boolean {
  if (vma.anonId === neighbour.anonId) return true;
  return vma.anonId === 0 && !neighbour.inherited;
}

/** Which of its neighbours a mapping is one with. */
function joining(vma: Vma, below: Vma | undefined, above: Vma | undefined): { below?: Vma; above?: Vma } {
  const joinsBelow = below !== undefined && mergeable(below, vma) && anonMergeable(vma, below);
  let joinsAbove = above !== undefined && mergeable(vma, above) && anonMergeable(vma, above);
  if (joinsBelow && joinsAbove)
    joinsAbove = below.anonId === above!.anonId || below.anonId === 0 || above!.anonId === 0;
  return { ...(joinsBelow ? { below } : {}), ...(joinsAbove ? { above: above! } : {}) };
}

/** vm_area_alloc, as far as the mapping is not part of a neighbour at once, which needs none. */
function allocVma(k: Kernel, vma: Vma): boolean {
  const { mm } = vma;
  const at = mm.indexOf(vma.start);
  const { below, above } = joining(vma, mm.vmas[at - 1], mm.vmas[at]);
  if (!below && !above) return tryChargeVma(k, vma);
  chargeVma(k, vma);
  return true;
}

/** vma_merge: joins the mapping with its neighbours where it can be; returns what it is part of then. */
export function vmaMerge(k: Kernel, vma: Vma): Vma {
  const { mm } = vma;
  const at = mm.vmas.indexOf(vma);
  const { below, above } = joining(vma, mm.vmas[at - 1], mm.vmas[at + 1]);
  if (!below && !above) return vma;
  const result = below ?? vma;
  if (below) join(k, below, vma);
  if (above) join(k, result, above);
  khugepagedEnterVma(k, result);
  return result;
}

function join(k: Kernel, lower: Vma, upper: Vma): void {
  lower.end = upper.end;
  if (upper.anonVma) {
    upper.anonVma.vmas.delete(upper);
    if (!lower.anonVma) {
      lower.cloneAnonVma(upper);
      chargeChain(k, lower, upper.chainLength);
    }
  }
  if (upper.object) {
    upper.object.users--;
    upper.object.vmas.delete(upper);
  }
  lower.mm.remove(upper);
  unchargeVma(k, upper);
}

/** do_munmap. */
export function doMunmap(k: Kernel, task: Task, start: number, pages: number): Errno {
  const { mm } = task;
  const end = start + pages;
  if (pages <= 0) return 'EINVAL';
  if (cutsHugePage(mm, start) || cutsHugePage(mm, end)) return 'EINVAL';
  const first = mm.findVma(start);
  // A hole in the middle of a mapping makes one more.
  if (first && first.start < start && end < first.end && mm.vmas.length >= k.maxMapCount) return 'ENOMEM';
  if (first && first.start < start) splitVma(k, first, start);
  const last = mm.findVma(end);
  if (last && last.start < end) splitVma(k, last, end);
  const gone = mm.vmas.filter((vma) => vma.start >= start && vma.end <= end);
  if (gone.length === 0) return undefined;
  const index = mm.vmas.indexOf(gone[0]!);
  const floor = mm.vmas[index - 1]?.end ?? 0;
  const ceiling = mm.vmas[index + gone.length]?.start ?? 0;
  unmapRegion(k, task, gone, floor, ceiling);
  for (const vma of gone) removeVma(k, mm, vma);
  return undefined;
}

/** Whether the mapping of huge pages that `page` lies in would be cut within one. */
function cutsHugePage(mm: Mm, page: number): boolean {
  return page % 512 !== 0 && ((mm.findVma(page)?.flags ?? 0) & VM_HUGETLB) !== 0;
}

function unmapRegion(k: Kernel, task: Task, gone: readonly Vma[], floor: number, ceiling: number): void {
  const { mm } = gone[0]!;
  for (const vma of gone) zapPageRange(k, task, vma, vma.start, vma.end);
  updateHiwaterVm(mm);
  freePgtables(mm, gone, floor, ceiling);
  accountPageTables(k, mm);
}

/** free_pgtables: mappings within 2 MiB of each other give their tables back in one go. */
function freePgtables(mm: Mm, gone: readonly Vma[], floor: number, ceiling: number): void {
  const isHuge = ({ flags }: Vma) => (flags & VM_HUGETLB) !== 0;
  for (let i = 0; i < gone.length; ) {
    const { start } = gone[i]!;
    let last = gone[i++]!;
    while (!isHuge(last) && i < gone.length && gone[i]!.start <= last.end + 512 && !isHuge(gone[i]!)) last = gone[i++]!;
    mm.freePgdRange(start, last.end, floor, gone[i]?.start ?? ceiling);
  }
}

function removeVma(k: Kernel, mm: Mm, vma: Vma): void {
  if (vma.flags & VM_HUGETLB) hugetlbClose(k, vma);
  mm.remove(vma);
  unchargeVma(k, vma);
  vmStatAccount(mm, vma.flags, -vma.pages);
  if (vma.flags & VM_ACCOUNT) k.committed -= vma.pages;
  if (vma.flags & VM_LOCKED) mm.lockedVm -= vma.pages;
  vma.anonVma?.vmas.delete(vma);
  if (vma.object) {
    vma.object.vmas.delete(vma);
    putObject(k, vma.object);
  }
}

/** exit_mmap: everything goes, with all tables. */
export function exitMmap(k: Kernel, task: Task): void {
  const { mm } = task;
  khugepagedExit(k, mm);
  for (const vma of mm.vmas) zapPageRange(k, task, vma, vma.start, vma.end);
  mm.dropTables();
  accountPageTables(k, mm);
  for (const vma of [...mm.vmas]) removeVma(k, mm, vma);
  k.mmlist.delete(mm);
}

/** brk, by so many bytes. */
export function doBrk(k: Kernel, task: Task, bytes: number): Errno {
  const { mm } = task;
  const before = Math.ceil(mm.brk / 4096);
  const after = Math.ceil((mm.brk + bytes) / 4096);
  if (mm.brk + bytes < mm.startBrk) return 'ENOMEM';
  if (after < before) doMunmap(k, task, after, before - after);
  if (after > before) {
    const error = mmapRegion(k, task, {
      start: before,
      pages: after - before,
      flags: VM_READ | VM_WRITE | VM_HEAP,
      object: null,
      pgoff: 0,
      name: '[brk]',
    });
    if (error) return error;
  }
  mm.brk += bytes;
  return undefined;
}
