import type { Page, Pages } from '../contract/units.ts';

/**
 * A machine of many processes that one process's memory lies in. Where the kernel of a process has one, it still decides where a
 * mapping goes, and the machine has the pages: it may refuse a mapping, take a page away at any time, or end the process in the
 * middle of a call (which it does by throwing). Page numbers are those of layout.ts.
 */
export interface MemoryBacking {
  /** The states of pages (residency.ts), which the machine takes back as a processor's TLB is flushed; given once, before anything else. */
  attach(pages: Uint8Array): void;
  /** A mapping at a free place; false where the machine does not promise so much memory. `flags` as of mmap(2). */
  map(start: Page, end: Page, prot: number, flags: number): boolean;
  unmap(start: Page, end: Page): void;
  protect(start: Page, end: Page, prot: number): boolean;
  /** mremap(2) to a larger size: in place where `to` is `start`; false as of `map`. */
  remap(start: Page, oldPages: Pages, newPages: Pages, to: Page): boolean;
  /** madvise(2) by its number. */
  advise(start: Page, end: Page, advice: number): void;
  /** The program stores to the page or loads from it. */
  access(page: Page, write: boolean): void;
  /** The most pages that the program has had at once. */
  residentPeak(): Pages;
  residentIn(start: Page, end: Page): Pages;
  /** Huge entries that lie in [start, end). */
  hugeIn(start: Page, end: Page): number;
  lazilyFreedIn(start: Page, end: Page): Pages;
  /** Faults that the accesses took. */
  faults(): number;
  hugeFaults(): number;
}
