import { type Addr, type Bytes, HUGE_PAGES, PAGE_BYTES, type Page } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';

/** What lies on a page, in bytes. */
const REQUESTED = 0;
const SLACK = 1;
const FREE = 2;
export type Column = typeof REQUESTED | typeof SLACK | typeof FREE;

/**
 * How many bytes of live blocks and of free chunks each page holds, and the sums over the pages that are resident, which follow both what is added
 * and what becomes resident: so they cost what has changed.
 */
export function createResidentBytes({ pages, vmas, residency }: Kernel) {
  const { used } = residency;
  const eights = new Float64Array(pages.buffer, pages.byteOffset, pages.length / 8);
  const seen = new Uint8Array(pages.length);
  const seenEights = new Float64Array(seen.buffer);
  const columns = [REQUESTED, SLACK, FREE].map(() => new Uint16Array(pages.length)); // at most 4096 each
  const [requestedOn, slackOn, freeOn] = columns as [Uint16Array, Uint16Array, Uint16Array];
  /** `pinned`: free on pages that hold something else; `returnable`: on pages that one or several free chunks fill. */
  const totals = { requested: 0, slack: 0, pinned: 0, returnable: 0 };
  let ranges = new Float64Array(0); // start and end of each mapping at the last look
  let rangeWords = 0;

  const isSeen = (page: Page): boolean => seen[page] === RESIDENT || seen[page] === LAZILY_FREED;

  function countFree(bytes: Bytes, sign: number): void {
    if (bytes === PAGE_BYTES) totals.returnable += sign * bytes;
    else totals.pinned += sign * bytes;
  }

  function countPage(page: Page, sign: number): void {
    totals.requested += sign * requestedOn[page]!;
    totals.slack += sign * slackOn[page]!;
    countFree(freeOn[page]!, sign);
  }

  function addToPage(column: Column, page: Page, bytes: Bytes): void {
    const before = columns[column]![page]!;
    columns[column]![page] = before + bytes;
    if (!isSeen(page)) return;
    if (column === REQUESTED) totals.requested += bytes;
    else if (column === SLACK) totals.slack += bytes;
    else {
      countFree(before, -1);
      countFree(before + bytes, 1);
    }
  }

  /** Adds `sign` times the bytes of [start, end) to their pages. */
  function add(column: Column, start: Addr, end: Addr, sign: number): void {
    if (end <= start) return;
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    if (first === last) {
      addToPage(column, first, sign * (end - start));
      return;
    }
    addToPage(column, first, sign * ((first + 1) * PAGE_BYTES - start));
    for (let page = first + 1; page < last; page++) addToPage(column, page, sign * PAGE_BYTES);
    addToPage(column, last, sign * (end - last * PAGE_BYTES));
  }

  /** Eight pages whose states are not those of the last look. */
  function lookAtEight(eight: number): void {
    for (let page = eight * 8; page < eight * 8 + 8; page++) {
      if (pages[page] === seen[page]) continue;
      const wasResident = isSeen(page);
      seen[page] = pages[page]!;
      if (wasResident !== isSeen(page)) countPage(page, wasResident ? -1 : 1);
    }
  }

  function lookAt(start: Page, end: Page): void {
    for (let page = start - (start & 7); page < end; ) {
      if (used[Math.floor(page / HUGE_PAGES)] === 0) {
        page += HUGE_PAGES - (page % HUGE_PAGES);
        continue;
      }
      const eight = page / 8;
      if (eights[eight] !== seenEights[eight]) lookAtEight(eight);
      page += 8;
    }
  }

  /** Which pages are resident now: those of the mappings that are there, and of those that were. */
  function followPages(): void {
    for (let i = 0; i < rangeWords; i += 2) lookAt(ranges[i]!, ranges[i + 1]!);
    const words = 2 * vmas.count();
    if (words > ranges.length) ranges = new Float64Array(2 * words);
    rangeWords = words;
    for (let i = 0; i < vmas.count(); i++) {
      ranges[2 * i] = vmas.start(i);
      ranges[2 * i + 1] = vmas.end(i);
      lookAt(vmas.start(i), vmas.end(i));
    }
  }

  return {
    followPages,
    totals: totals as Readonly<typeof totals>,
    addRequested: (start: Addr, end: Addr, sign: number) => add(REQUESTED, start, end, sign),
    addSlack: (start: Addr, end: Addr, sign: number) => add(SLACK, start, end, sign),
    addFree: (start: Addr, end: Addr, sign: number) => add(FREE, start, end, sign),
    freeOn: freeOn as Readonly<Uint16Array>,
  };
}
