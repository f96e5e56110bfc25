import type { Memory } from '../contract/memory.ts';
import {
  OP_FAULTS,
  OP_FLUSHES,
  OP_HUGE_FAULTS,
  OP_MAPPINGS_ENTERED,
  OP_PAGES_RELEASED,
  OP_ZERO_PAGES_REPLACED,
} from '../contract/operations.ts';
import { HUGE_PAGES, type Page, type Pages } from '../contract/units.ts';
import { FENCE_PAGE, PAGE_LIMIT } from './layout.ts';

/** State of a page, one byte each. Everything but ABSENT has a page table entry. */
export const ABSENT = 0;
export const RESIDENT = 1;
/** After MADV_FREE: counts as resident until memory runs short, is RESIDENT again without a fault when written. */
export const LAZILY_FREED = 2;
/** Read before it was ever written: the shared zero page, which is not counted as resident. */
export const ZERO_PAGE = 3;
/** Since a fork shared with the parent, until it is written. */
export const COPY_ON_WRITE = 4;

const LG_HUGE_PAGES = 9;
/** Touches of fewer pages are made one by one. */
const RUN_PAGES = 64;

/** Counters in the region kernel.residency. */
export const RESIDENT_PAGES = 0;
export const RESIDENT_PEAK = 1;
const LAZY_PAGES = 2;
const FAULTS = 3;
const HUGE_FAULTS = 4;
const HUGE_MAPPED = 5; // huge pages that are in place, in units of 2 MiB
const FAR_USED = 6; // 1 once there was a page of the far area

/** More new mappings than this are not told from older ones. */
const UNENTERED_MAX = 64;
const UNENTERED = 2 * UNENTERED_MAX;

/** Pages [start, end) are mapped no more as they were. */
export type FlushObserver = (start: Page, end: Page) => void;

export type Residency = ReturnType<typeof createResidency>;

/**
 * Which pages are resident, and the faults that made them so. `mayBeHuge(page)` says whether a fault there may map the
 * whole 2 MiB around it (transparent huge pages); a huge page that is partly given back counts as split.
 *
 * Where several workers share the memory, `exclusive` brackets what faults change; system calls are in such brackets anyway.
 */
export function createResidency(
  memory: Memory,
  operations: Float64Array,
  mayBeHuge: ((page: Page) => boolean) | undefined,
  exclusive?: { readonly enter: () => void; readonly leave: () => void },
  pageLimit: Page = PAGE_LIMIT,
) {
  const counters = memory.int32('kernel.residency', 8);
  const usedPages = () => (counters[FAR_USED] === 0 ? PAGE_LIMIT : pageLimit);
  const pages = new Uint8Array(memory.reserve('kernel.pages', pageLimit, usedPages));
  const eights = new Float64Array(pages.buffer); // 0 where eight pages are ABSENT
  // 0 where the aligned 2 MiB have only ever been ABSENT.
  const used = new Uint8Array(
    memory.reserve('kernel.usedPages', pageLimit / HUGE_PAGES, () => usedPages() / HUGE_PAGES),
  );
  const usedTables = () => usedPages() / HUGE_PAGES;
  const huge = new Uint8Array(memory.reserve('kernel.hugePages', pageLimit / HUGE_PAGES, usedTables));
  // 1 where the aligned 2 MiB have a page table: a fault there gives a small page, however empty it is.
  const tables = new Uint8Array(memory.reserve('kernel.pageTables', pageLimit / HUGE_PAGES, usedTables));
  // Mappings without a fault so far: the first page and the page behind the last of each, oldest first, then their length.
  const unentered = memory.int32('kernel.unentered', 2 * UNENTERED_MAX + 1);

  let flushed: FlushObserver | undefined;

  function grown(count: Pages): void {
    const resident = counters[RESIDENT_PAGES]! + count;
    counters[RESIDENT_PAGES] = resident;
    if (resident > counters[RESIDENT_PEAK]!) counters[RESIDENT_PEAK] = resident;
  }

  /** A write to a page that is not RESIDENT. */
  function faultAlone(page: Page): void {
    const state = pages[page]!;
    if (state === LAZILY_FREED) {
      pages[page] = RESIDENT;
      counters[LAZY_PAGES]!--;
      return;
    }
    if (state === RESIDENT) return;
    counters[FAULTS]!++;
    operations[OP_FAULTS]!++;
    if (state === COPY_ON_WRITE) {
      pages[page] = RESIDENT;
      return;
    }
    if (state === ZERO_PAGE) operations[OP_ZERO_PAGES_REPLACED]!++;
    if (unentered[UNENTERED] !== 0) enter(page);
    used[page >> LG_HUGE_PAGES] = 1;
    if (mayBeHuge !== undefined) {
      if (tables[Math.floor(page / HUGE_PAGES)] === 0 && mayBeHuge(page)) {
        faultHuge(page);
        return;
      }
      tables[Math.floor(page / HUGE_PAGES)] = 1;
    }
    pages[page] = RESIDENT;
    grown(1);
  }

  const fault = exclusive === undefined ? faultAlone : exclusively(faultAlone);

  /** The same between the brackets. */
  function exclusively<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      exclusive!.enter();
      const result = work(...args);
      exclusive!.leave();
      return result;
    };
  }

  /** A new mapping that was not joined to another one. */
  function mapped(start: Page, end: Page): void {
    if (start >= FENCE_PAGE) counters[FAR_USED] = 1;
    let length = unentered[UNENTERED]!;
    if (length >= 2 * UNENTERED_MAX) length = dropMapping(0, length);
    unentered[length] = start;
    unentered[length + 1] = end;
    unentered[UNENTERED] = length + 2;
  }

  function enter(page: Page): void {
    const length = unentered[UNENTERED]!;
    for (let i = length - 2; i >= 0; i -= 2) {
      if (page < unentered[i]! || page >= unentered[i + 1]!) continue;
      unentered[UNENTERED] = dropMapping(i, length);
      operations[OP_MAPPINGS_ENTERED]!++;
      return;
    }
  }

  function dropMapping(i: number, length: number): number {
    unentered.copyWithin(i, i + 2, length);
    return length - 2;
  }

  function faultHuge(page: Page): void {
    const first = page - (page % HUGE_PAGES);
    pages.fill(RESIDENT, first, first + HUGE_PAGES);
    huge[first / HUGE_PAGES] = 1;
    tables[first / HUGE_PAGES] = 1;
    counters[HUGE_MAPPED]!++;
    counters[HUGE_FAULTS]!++;
    operations[OP_HUGE_FAULTS]!++;
    grown(HUGE_PAGES);
  }

  /** The program or the allocator writes to `page`. */
  function touch(page: Page): void {
    if (pages[page] !== RESIDENT) fault(page);
  }

  /** … to every page from `first` to `last`, inclusive. */
  function touchRange(first: Page, last: Page): void {
    for (let page = first; page <= last; page++) {
      if (pages[page] === RESIDENT) continue;
      if (last - page < RUN_PAGES) fault(page);
      else page = faultRun(page, last);
    }
  }

  /** A fault, and those of the pages behind it in the same table that have been ABSENT by eights. @returns the last page that is RESIDENT now. */
  function faultRunAlone(page: Page, last: Page): Page {
    faultAlone(page);
    const end = Math.min(last + 1, page - (page % HUGE_PAGES) + HUGE_PAGES);
    let next = page + 1;
    while (isAbsent(next, end)) next += 8;
    const count = next - page - 1;
    if (count === 0 || isUnentered(page + 1, next)) return page;
    if (mayBeHuge !== undefined && tables[Math.floor(page / HUGE_PAGES)] === 0) return page;
    used[page >> LG_HUGE_PAGES] = 1;
    pages.fill(RESIDENT, page + 1, next);
    counters[FAULTS]! += count;
    operations[OP_FAULTS]! += count;
    grown(count);
    return next - 1;
  }

  const faultRun = exclusive === undefined ? faultRunAlone : exclusively(faultRunAlone);

  /** Whether a mapping without a fault begins or lies in [start, end). */
  function isUnentered(start: Page, end: Page): boolean {
    for (let i = unentered[UNENTERED]! - 2; i >= 0; i -= 2)
      if (start < unentered[i + 1]! && end > unentered[i]!) return true;
    return false;
  }

  /** A read: an absent page becomes the shared zero page. */
  function readRangeAlone(first: Page, last: Page): void {
    for (let page = first; page <= last; page++) {
      if (pages[page] === ABSENT) {
        pages[page] = ZERO_PAGE;
        used[page >> LG_HUGE_PAGES] = 1;
        if (mayBeHuge !== undefined) tables[Math.floor(page / HUGE_PAGES)] = 1;
        counters[FAULTS]!++;
        operations[OP_FAULTS]!++;
      }
    }
  }

  const readRange = exclusive === undefined ? readRangeAlone : exclusively(readRangeAlone);

  /** Whether eight pages from here on are ABSENT: most of what a call goes over was never touched. */
  const isAbsent = (page: Page, end: Page): boolean => (page & 7) === 0 && page + 8 <= end && eights[page >> 3] === 0;

  /** The last page of [page, end) of those that are ABSENT from there on by eights, or by whole 2 MiB. */
  function lastAbsent(page: Page, end: Page): Page {
    if ((page & (HUGE_PAGES - 1)) !== 0) return page + 7;
    let next = page;
    while (next < end && used[next >> LG_HUGE_PAGES] === 0) next += HUGE_PAGES;
    return next === page ? page + 7 : Math.min(next, end) - 1;
  }

  /** Takes the pages of [start, end) away; returns how many were resident. */
  function release(start: Page, end: Page): Pages {
    let resident = 0;
    let lazy = 0;
    for (let page = start; page < end; page++) {
      if (isAbsent(page, end)) {
        page = lastAbsent(page, end);
        continue;
      }
      const state = pages[page]!;
      if (state === ABSENT) continue;
      if (state !== ZERO_PAGE) resident++;
      if (state === LAZILY_FREED) lazy++;
      pages[page] = ABSENT;
    }
    if (resident > 0) {
      counters[RESIDENT_PAGES]! -= resident;
      counters[LAZY_PAGES]! -= lazy;
      operations[OP_PAGES_RELEASED]! += resident;
      operations[OP_FLUSHES]!++;
      flushed?.(start, end);
      splitHuge(start, end, true);
    }
    return resident;
  }

  /** MADV_FREE over [start, end). */
  function freeLazily(start: Page, end: Page): void {
    for (let page = start; page < end; page++) {
      if (isAbsent(page, end)) page = lastAbsent(page, end);
      else if (pages[page] === RESIDENT) {
        pages[page] = LAZILY_FREED;
        counters[LAZY_PAGES]!++;
      }
    }
    splitHuge(start, end);
  }

  /** mremap: page table entries wander from [start, end) to `to`, which is empty. */
  function move(start: Page, end: Page, to: Page): void {
    flushed?.(start, end);
    if (to >= FENCE_PAGE) counters[FAR_USED] = 1;
    for (let page = start; page < end; page++) {
      if (isAbsent(page, end)) {
        page = lastAbsent(page, end); // what was never touched need not be written here either
        continue;
      }
      const target = page - start + to;
      used[target >> LG_HUGE_PAGES] = 1;
      pages[target] = pages[page]!;
      if (pages[page] !== ABSENT && mayBeHuge !== undefined) tables[Math.floor(target / HUGE_PAGES)] = 1;
      pages[page] = ABSENT;
    }
    splitHuge(start, end);
  }

  /** `gone`: the pages of [start, end) have been taken away, so a huge page that lies in there takes its table along. */
  function splitHuge(start: Page, end: Page, gone = false): void {
    if (counters[HUGE_MAPPED] === 0) return;
    for (let i = Math.floor(start / HUGE_PAGES); i * HUGE_PAGES < end; i++) {
      if (huge[i] !== 1) continue;
      huge[i] = 0;
      counters[HUGE_MAPPED]!--;
      if (gone && i * HUGE_PAGES >= start && (i + 1) * HUGE_PAGES <= end) tables[i] = 0;
    }
  }

  /** free_pgd_range: [start, end) is unmapped, and [floor, ceiling) around it: tables that nothing else needs are freed. */
  function freeTables(start: Page, end: Page, floor: Page, ceiling: Page): void {
    const first = Math.max(Math.floor(start / HUGE_PAGES), Math.ceil(floor / HUGE_PAGES));
    const last = Math.min(Math.ceil(end / HUGE_PAGES), Math.floor(ceiling / HUGE_PAGES));
    if (first < last) tables.fill(0, first, last);
  }

  /** Resident pages of [start, end). */
  function residentIn(start: Page, end: Page): Pages {
    let count = 0;
    for (let page = start; page < end; page++) {
      if (isAbsent(page, end)) {
        page = lastAbsent(page, end);
        continue;
      }
      const state = pages[page]!;
      if (state === RESIDENT || state === LAZILY_FREED || state === COPY_ON_WRITE) count++;
    }
    return count;
  }

  /** In the child of a fork: the pages of [start, end) are the parent's too. Page tables and huge pages are as they were. */
  function forked(start: Page, end: Page): void {
    for (let page = start; page < end; page++) if (pages[page] === RESIDENT) pages[page] = COPY_ON_WRITE;
  }

  /** Huge pages in place that lie in [start, end). */
  function hugeIn(start: Page, end: Page): number {
    let count = 0;
    for (let i = Math.ceil(start / HUGE_PAGES); (i + 1) * HUGE_PAGES <= end; i++) count += huge[i]!;
    return count;
  }

  return {
    mapped,
    pages,
    touch,
    touchRange,
    readRange,
    fault,
    /** By 2 MiB: 0 where all pages have only ever been ABSENT. */
    used,
    release,
    freeLazily,
    freeTables: mayBeHuge === undefined ? undefined : freeTables,
    move,
    forked,
    residentIn,
    hugeIn,
    /** Whether a huge page maps `page`. */
    isHuge: (page: Page): boolean => huge[Math.floor(page / HUGE_PAGES)] === 1,
    /** Calls `observe` from now on where a processor's TLB is flushed. */
    observeFlushes: (observe: FlushObserver): void => {
      flushed = observe;
    },
    residentPages: (): Pages => counters[RESIDENT_PAGES]!,
    residentPeakPages: (): Pages => counters[RESIDENT_PEAK]!,
    lazilyFreedPages: (): Pages => counters[LAZY_PAGES]!,
    hugePages: () => counters[HUGE_MAPPED]!,
    faults: () => counters[FAULTS]!,
    hugeFaults: () => counters[HUGE_FAULTS]!,
  };
}
