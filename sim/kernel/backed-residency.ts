import type { Memory } from '../contract/memory.ts';
import { OP_FAULTS } from '../contract/operations.ts';
import { HUGE_PAGES, type Page, type Pages } from '../contract/units.ts';
import type { MemoryBacking } from './backing.ts';
import { BRK_START_PAGE, PAGE_LIMIT } from './layout.ts';
import { ABSENT, RESIDENT, type Residency, ZERO_PAGE } from './residency.ts';

/**
 * Residency of a process whose pages a machine has. A page's state is then what a TLB entry is: RESIDENT, the program may
 * write without a word; ZERO_PAGE, it may read; ABSENT, the machine must be asked, though the page may well be there.
 */
export function createBackedResidency(
  memory: Memory,
  operations: Float64Array,
  backing: MemoryBacking,
  advice: { readonly dontneed: number; readonly free: number },
  pageLimit: Page = PAGE_LIMIT,
): Residency {
  const pages = new Uint8Array(memory.reserve('kernel.pages', pageLimit));
  backing.attach(pages);
  const used = new Uint8Array(new SharedArrayBuffer(pageLimit / HUGE_PAGES)).fill(1); // nobody keeps count: any may have been

  function fault(page: Page): void {
    if (pages[page] === RESIDENT) return;
    const before = backing.faults();
    backing.access(page, true);
    operations[OP_FAULTS]! += backing.faults() - before;
  }

  function touch(page: Page): void {
    if (pages[page] !== RESIDENT) fault(page);
  }

  function touchRange(first: Page, last: Page): void {
    for (let page = first; page <= last; page++) if (pages[page] !== RESIDENT) fault(page);
  }

  function readRange(first: Page, last: Page): void {
    for (let page = first; page <= last; page++) {
      if (pages[page] !== ABSENT) continue;
      const before = backing.faults();
      backing.access(page, false);
      operations[OP_FAULTS]! += backing.faults() - before;
      if (pages[page] === ABSENT) pages[page] = ZERO_PAGE;
    }
  }

  /** MADV_DONTNEED; what munmap gives up, the machine has taken with the mapping. */
  function release(start: Page, end: Page): Pages {
    backing.advise(start, end, advice.dontneed);
    return 0;
  }

  return {
    mapped: () => {},
    pages,
    touch,
    touchRange,
    readRange,
    fault,
    used,
    release,
    freeLazily: (start, end) => backing.advise(start, end, advice.free),
    freeTables: undefined,
    move: () => {},
    forked: () => {},
    residentIn: (start, end) => backing.residentIn(start, end),
    hugeIn: (start, end) => backing.hugeIn(start, end),
    isHuge: (page) => backing.hugeIn(page - (page % HUGE_PAGES), page - (page % HUGE_PAGES) + HUGE_PAGES) > 0,
    observeFlushes: () => {},
    residentPages: () => backing.residentIn(BRK_START_PAGE, pageLimit),
    residentPeakPages: () => backing.residentPeak(),
    lazilyFreedPages: () => backing.lazilyFreedIn(BRK_START_PAGE, pageLimit),
    hugePages: () => backing.hugeIn(BRK_START_PAGE, pageLimit),
    faults: () => backing.faults(),
    hugeFaults: () => backing.hugeFaults(),
  };
}
