import { assert } from '../contract/assert.ts';
import type { Locks } from '../contract/locks.ts';
import type { Memory } from '../contract/memory.ts';
import {
  OP_BRK,
  OP_BRK_SHRINKS,
  OP_MADVISE,
  OP_MMAP,
  OP_MPROTECT,
  OP_MREMAP,
  OP_MUNMAP,
} from '../contract/operations.ts';
import type { ThreadSlot } from '../contract/thread-slot.ts';
import { HUGE_PAGES, type Ns, PAGE_BYTES, type Page, type Pages } from '../contract/units.ts';
import { createBackedResidency } from './backed-residency.ts';
import type { MemoryBacking } from './backing.ts';
import { createFarArea } from './far-area.ts';
import { BRK_START_PAGE, FENCE_PAGE, MMAP_BOTTOM_PAGE, REAL_AREA_PAGES, relativeAddress } from './layout.ts';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NAMES,
  MADV_NOHUGEPAGE,
  MAP_BY_PAGE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_HUGETLB,
} from './mmap-flags.ts';
import type { KernelOptions } from './options.ts';
import { createResidency } from './residency.ts';
import { mapText, protText } from './syscall-text.ts';
import { createUnmappedArea } from './unmapped-area.ts';
import { createVmaTable, MAX_MAP_COUNT, PROT_MASK, PROT_READ, PROT_WRITE, VM_HUGEPAGE, VM_NOHUGEPAGE } from './vma.ts';

export * from './mmap-flags.ts';
export { KERNEL_DEFAULTS, type KernelOptions, type KernelVersion } from './options.ts';
export { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from './vma.ts';

export const SYSCALLS = ['brk', 'mmap', 'munmap', 'mremap', 'madvise', 'mprotect'] as const;
export type Syscall = (typeof SYSCALLS)[number];

/** A memory system call that was made, in the words of the ground truth's list: `mmap NULL 135168 … = fence-135168`. */
export type SyscallObserver = (t: ThreadSlot, text: string) => void;

/** CLOCK_MONOTONIC starts at 1000 s: 0 is special to some allocators. */
export const CLOCK_BASE_NS: Ns = 1e12;

export type Kernel = ReturnType<typeof createKernel>;

// Words of `kernel.state`.
const BRK_END = 0; // page number; 0 stands for BRK_START_PAGE
const MAPPED_PEAK = 1;
const CALLS = 2; // counts, in the order of SYSCALLS
const AREA_USED_UP = CALLS + SYSCALLS.length; // mappings for which the simulated address space had no hole
const BREAK_USED_UP = AREA_USED_UP + 1; // breaks beyond its brk heap
const FAR_USED_UP = BREAK_USED_UP + 1; // mappings for which the far area had none either

/**
 * The kernel of one simulated process: its address space, its break, its page tables, its clock. Addresses and lengths
 * are page numbers and page counts. A failed call returns -1 (ENOMEM) as the real one does; a call with arguments that
 * no allocator should make is our broken invariant and throws.
 *
 * Where several workers share the address space, each has a kernel of its own over the same memory, made for its thread
 * `worker`: faults and the clock are then under mmap_lock too. With `backing` the pages are those of a whole machine.
 */
export function createKernel(
  memory: Memory,
  locks: Locks,
  operations: Float64Array,
  options: KernelOptions,
  worker?: ThreadSlot,
  backing?: MemoryBacking,
) {
  const vmas = createVmaTable(memory);
  const far = createFarArea(memory, vmas, options.farPages ?? 0);
  const unmappedArea = createUnmappedArea(vmas, far, options.version === '6.18');
  const clock = memory.float64('kernel.clock', 1);
  const state = memory.int32('kernel.state', 16);
  const mmapLock = locks.create('mmap_lock', 'kernel');
  const residency = backing
    ? createBackedResidency(memory, operations, backing, { dontneed: MADV_DONTNEED, free: MADV_FREE }, far.limit)
    : createResidency(
        memory,
        operations,
        options.thp === 'never' ? undefined : mayBeHuge,
        worker === undefined
          ? undefined
          : { enter: () => locks.acquire(worker, mmapLock), leave: () => locks.release(worker, mmapLock) },
        far.limit,
      );
  const asLimitPages = Math.floor(options.rlimitAs / PAGE_BYTES);
  const dataLimitPages = Math.floor(options.rlimitData / PAGE_BYTES);
  let observer: SyscallObserver | undefined;
  // Within one call of the allocator only: they need not be shared.
  let refuses = false;
  let cutsBlocks = false;

  const addressText = (page: Page) =>
    page < 0 ? '-1' : relativeAddress(page * PAGE_BYTES, far.displaces(page) ? far.depthOf(page) : undefined);
  const bytesText = (pages: Pages) => `${pages * PAGE_BYTES}`;

  function count(call: number, operation: number): void {
    state[CALLS + call]!++;
    operations[operation]!++;
  }

  function mayBeHuge(page: Page): boolean {
    const index = vmas.indexOf(page);
    if (index < 0) return false;
    const flags = vmas.flags(index);
    if (flags & VM_NOHUGEPAGE || (options.thp === 'madvise' && !(flags & VM_HUGEPAGE))) return false;
    const first = page - (page % HUGE_PAGES);
    return vmas.start(index) <= first && vmas.end(index) >= first + HUGE_PAGES;
  }

  function overLimit(pages: Pages, writable: boolean): boolean {
    return (
      refuses ||
      vmas.mappedPages() + pages > asLimitPages ||
      (writable && vmas.writablePages() + pages > dataLimitPages) ||
      vmas.count() >= MAX_MAP_COUNT
    );
  }

  function mapped(): void {
    const pages = vmas.mappedPages();
    if (pages > state[MAPPED_PEAK]!) state[MAPPED_PEAK] = pages;
  }

  /** Whether the machine around the process promises the memory of a new mapping. */
  const isPromised = (start: Page, end: Page, prot: number, flags: number): boolean =>
    backing === undefined || backing.map(start, end, prot, flags);

  const brkEnd = (): Page => state[BRK_END]! || BRK_START_PAGE;

  /** brk(2): moves the break to `end`; returns the break, unchanged on failure. `end` 0 only asks. -1: it was not `from`, where that is given. */
  function brk(t: ThreadSlot, end: Page, from?: Page): Page {
    locks.acquire(t, mmapLock);
    count(0, OP_BRK);
    const old = brkEnd();
    const isElsewhere = from !== undefined && from !== old;
    if (end >= BRK_START_PAGE && !isElsewhere) {
      if (end < old) {
        operations[OP_BRK_SHRINKS]!++;
        unmapPages(end, old, t);
        state[BRK_END] = end;
      } else if (end > MMAP_BOTTOM_PAGE) {
        if (end - old < REAL_AREA_PAGES && !overLimit(end - old, true)) state[BREAK_USED_UP]!++;
      } else if (end > old && !overLimit(end - old, true) && isPromised(old, end, PROT_READ | PROT_WRITE, 0)) {
        vmas.add(old, end, PROT_READ | PROT_WRITE);
        if (old === BRK_START_PAGE) residency.mapped(old, MMAP_BOTTOM_PAGE);
        mapped();
        state[BRK_END] = end;
      }
    }
    if (observer) observer(t, `brk ${end === 0 ? 'NULL' : addressText(end)} = ${addressText(brkEnd())}`);
    const now = isElsewhere ? -1 : brkEnd();
    locks.release(t, mmapLock);
    return now;
  }

  /** A place for a mapping, or -1; where a real process may have one, that is counted. */
  function findPlace(pages: Pages, hinted: boolean, byPage: boolean): Page {
    const mayBeFar = byPage && !cutsBlocks;
    const start = unmappedArea(pages, hinted, mayBeFar);
    if (start < 0 && pages < REAL_AREA_PAGES) state[mayBeFar && far.pages > 0 ? FAR_USED_UP : AREA_USED_UP]!++;
    return start;
  }

  /**
   * mmap(2), private and anonymous. `hint` is 0, or a wish, or with MAP_FIXED a command. Returns the first page or -1.
   * MAP_HUGETLB fails: the simulated machine has no pages reserved for it.
   */
  function mmap(t: ThreadSlot, hint: Page, pages: Pages, prot: number, flags: number): Page {
    assert(pages > 0, 'mmap of no pages');
    locks.acquire(t, mmapLock);
    count(1, OP_MMAP);
    const result = flags & MAP_HUGETLB ? -1 : placeMapping(hint, pages, prot, flags);
    if (observer)
      observer(
        t,
        `mmap ${addressText(hint)} ${bytesText(pages)} ${protText(prot)} ${mapText(flags)} = ${addressText(result)}`,
      );
    locks.release(t, mmapLock);
    return result;
  }

  function placeMapping(hint: Page, pages: Pages, prot: number, flags: number): Page {
    const writable = (prot & PROT_WRITE) !== 0;
    if (flags & MAP_FIXED) {
      unmapPages(hint, hint + pages);
      if (overLimit(pages, writable) || !isPromised(hint, hint + pages, prot, flags)) return -1;
      vmas.add(hint, hint + pages, prot);
      mapped();
      return hint;
    }
    const free = hint > 0 && hint + pages <= FENCE_PAGE && vmas.isFree(hint, hint + pages);
    if (flags & MAP_FIXED_NOREPLACE && !free) return -1;
    if (overLimit(pages, writable)) return -1;
    const start = free ? hint : findPlace(pages, hint > 0, (flags & MAP_BY_PAGE) !== 0);
    if (start < 0) return -1;
    if (!isPromised(start, start + pages, prot, flags)) {
      if (start >= FENCE_PAGE) far.unmapped(start);
      return -1;
    }
    const before = vmas.count();
    vmas.add(start, start + pages, prot);
    if (vmas.count() > before) residency.mapped(start, start + pages);
    mapped();
    return start;
  }

  /** `t`, where the call needs the address space no more when the mappings are gone: the pages go under mmap_lock as a reader's. */
  function unmapPages(start: Page, end: Page, t?: ThreadSlot): void {
    vmas.remove(start, end);
    if (t !== undefined) locks.downgrade(t, mmapLock);
    if (start >= FENCE_PAGE) far.unmapped(start);
    if (backing) {
      backing.unmap(start, end);
      return;
    }
    residency.release(start, end);
    residency.freeTables?.(start, end, vmas.endBelow(start), vmas.startAbove(end));
  }

  /** munmap(2); returns 0, or -1 where the number of mappings would pass its limit. */
  function munmap(t: ThreadSlot, start: Page, pages: Pages): number {
    assert(pages > 0 && start > 0, 'munmap of no pages');
    locks.acquire(t, mmapLock);
    count(2, OP_MUNMAP);
    if (observer) observer(t, `munmap ${addressText(start)} ${bytesText(pages)}`);
    unmapPages(start, start + pages, t);
    locks.release(t, mmapLock);
    return 0;
  }

  /** mremap(2), MREMAP_MAYMOVE or not; returns the first page or -1. `byPage` as MAP_BY_PAGE. */
  function mremap(
    t: ThreadSlot,
    start: Page,
    oldPages: Pages,
    newPages: Pages,
    mayMove: boolean,
    byPage = false,
  ): Page {
    assert(oldPages > 0 && newPages > 0 && vmas.covered(start, start + oldPages), 'mremap of what is not mapped');
    locks.acquire(t, mmapLock);
    count(3, OP_MREMAP);
    const from = observer && addressText(start);
    const result =
      newPages <= oldPages
        ? shrinkMapping(t, start, oldPages, newPages)
        : growMapping(start, oldPages, newPages, mayMove, byPage);
    if (observer) {
      const flags = mayMove ? 'MREMAP_MAYMOVE' : '0';
      observer(t, `mremap ${from} ${bytesText(oldPages)} ${bytesText(newPages)} ${flags} = ${addressText(result)}`);
    }
    locks.release(t, mmapLock);
    return result;
  }

  function shrinkMapping(t: ThreadSlot, start: Page, oldPages: Pages, newPages: Pages): Page {
    if (newPages < oldPages) unmapPages(start + newPages, start + oldPages, t);
    return start;
  }

  function growMapping(start: Page, oldPages: Pages, newPages: Pages, mayMove: boolean, byPage: boolean): Page {
    const end = start + oldPages;
    const index = vmas.indexOf(start);
    const flags = vmas.flags(index);
    const origin = vmas.origin(index);
    if (vmas.end(index) < end || overLimit(newPages - oldPages, (flags & PROT_WRITE) !== 0)) return -1;
    const grows =
      start >= FENCE_PAGE
        ? far.grow(start, newPages - oldPages)
        : start + newPages <= FENCE_PAGE && vmas.isFree(end, start + newPages);
    if (grows) {
      if (backing && !backing.remap(start, oldPages, newPages, start)) return -1;
      vmas.add(end, start + newPages, flags, origin);
      mapped();
      return start;
    }
    if (!mayMove) return -1;
    const target = findPlace(newPages, false, byPage);
    if (target < 0) return -1;
    if (backing && !backing.remap(start, oldPages, newPages, target)) {
      if (target >= FENCE_PAGE) far.unmapped(target);
      return -1;
    }
    vmas.add(target, target + newPages, flags, start + origin - target);
    mapped(); // both are mapped while the entries wander
    vmas.remove(start, end);
    if (start >= FENCE_PAGE) far.unmapped(start);
    residency.move(start, end, target);
    residency.freeTables?.(start, end, vmas.endBelow(start), vmas.startAbove(end));
    return target;
  }

  /** mprotect(2): 0 or -1. */
  function mprotect(t: ThreadSlot, start: Page, pages: Pages, prot: number): number {
    locks.acquire(t, mmapLock);
    count(4 + 1, OP_MPROTECT);
    let result = -1;
    // Only what becomes writable is charged to RLIMIT_DATA; the mappings of one call are all alike in every model.
    const index = vmas.indexOf(start);
    const charged = prot & PROT_WRITE && index >= 0 && !(vmas.flags(index) & PROT_WRITE) ? pages : 0;
    if (
      vmas.writablePages() + charged <= dataLimitPages &&
      vmas.covered(start, start + pages) &&
      (backing === undefined || backing.protect(start, start + pages, prot))
    ) {
      vmas.changeFlags(start, start + pages, ~PROT_MASK, prot);
      result = 0;
    }
    observer?.(t, `mprotect ${addressText(start)} ${bytesText(pages)} ${protText(prot)}${result < 0 ? ' = -1' : ''}`);
    locks.release(t, mmapLock);
    return result;
  }

  function adviseHugePages(start: Page, end: Page, advice: number): void {
    assert(advice === MADV_HUGEPAGE || advice === MADV_NOHUGEPAGE, `madvise ${advice} is not simulated`);
    backing?.advise(start, end, advice);
    if (advice === MADV_HUGEPAGE) vmas.changeFlags(start, end, ~VM_NOHUGEPAGE, VM_HUGEPAGE);
    else vmas.changeFlags(start, end, ~VM_HUGEPAGE, VM_NOHUGEPAGE);
  }

  /** madvise(2): 0 or -1. */
  function madvise(t: ThreadSlot, start: Page, pages: Pages, advice: number): number {
    // madvise_lock(): advice that changes page table entries alone needs the mappings to stay, as a reader does.
    const isReader = advice === MADV_DONTNEED || advice === MADV_FREE;
    if (isReader) locks.acquireShared(t, mmapLock);
    else locks.acquire(t, mmapLock);
    count(4, OP_MADVISE);
    const end = start + pages;
    if (advice === MADV_DONTNEED) residency.release(start, end);
    else if (advice === MADV_FREE) residency.freeLazily(start, end);
    else adviseHugePages(start, end, advice);
    const result = vmas.covered(start, end) ? 0 : -1;
    const failed = result < 0 ? ' = -1' : '';
    observer?.(t, `madvise ${addressText(start)} ${bytesText(pages)} ${MADV_NAMES[advice]}${failed}`);
    if (isReader) locks.releaseShared(t, mmapLock);
    else locks.release(t, mmapLock);
    return result;
  }

  return {
    brk,
    mmap,
    munmap,
    mremap,
    mprotect,
    madvise,
    brkEnd,
    /** Page states, one byte each (residency.ts); models read it to test for RESIDENT without a call. */
    pages: residency.pages,
    touch: residency.touch,
    touchRange: residency.touchRange,
    readRange: residency.readRange,
    fault: residency.fault,
    vmas,
    residency,
    startNs: CLOCK_BASE_NS,
    /** The mode of transparent huge pages, as a process may ask. */
    thp: options.thp,
    /** CLOCK_MONOTONIC. */
    nowNs: (): Ns => CLOCK_BASE_NS + clock[0]!,
    advanceClock: (ns: Ns): void => {
      if (worker !== undefined) locks.acquire(worker, mmapLock);
      clock[0]! += ns;
      if (worker !== undefined) locks.release(worker, mmapLock);
    },
    /** As if a limit were reached, until it is told otherwise: what needs new memory gets ENOMEM. */
    isRefusing: (): boolean => refuses,
    refuseMemory: (refuse: boolean): void => {
      refuses = refuse;
    },
    /** Until it is told otherwise the caller needs addresses of new mappings, whatever MAP_BY_PAGE says: it cuts blocks out of them. */
    needAddresses: (need: boolean): void => {
      cutsBlocks = need;
    },
    mappedPages: (): Pages => vmas.mappedPages(),
    mappedPeakPages: (): Pages => state[MAPPED_PEAK]!,
    /** Calls that failed because the simulated address space is smaller than a real one (layout.ts). */
    spaceRefusals: () => ({
      mappings: state[AREA_USED_UP]!,
      farMappings: state[FAR_USED_UP]!,
      breaks: state[BREAK_USED_UP]!,
    }),
    syscallCount: (name: Syscall): number => state[CALLS + SYSCALLS.indexOf(name)]!,
    /** Calls `observe` with every memory system call from now on; undefined ends it. */
    observeSyscalls: (observe: SyscallObserver | undefined): void => {
      observer = observe;
    },
  };
}
