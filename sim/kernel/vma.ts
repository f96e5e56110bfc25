import { assert } from '../contract/assert.ts';
import type { Memory } from '../contract/memory.ts';
import type { Page, Pages } from '../contract/units.ts';

// A mapping ─►  ┌───────┬───────┬───────┬────────┐   VMA_WORDS int32 each, sorted by start, never overlapping;
//               │ start │  end  │ flags │ origin │   neighbours with equal flags and origin are one mapping
//               └───────┴───────┴───────┴────────┘
// start, end: page numbers, end exclusive. origin: page offset (vm_pgoff) minus start: 0 until mremap moves a mapping,
// whose pages keep the offset of the place where they were first mapped.
const VMA_WORDS = 4;
const START = 0;
const END = 1;
const FLAGS = 2;
const ORIGIN = 3;

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const PROT_MASK = 7;
export const VM_HUGEPAGE = 8;
export const VM_NOHUGEPAGE = 16;
/** No mapping: what keeps the place of one that lies in the far area (far-area.ts). */
export const VM_ELIDED = 32;

/** sysctl vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;

export type VmaTable = ReturnType<typeof createVmaTable>;

/** The mappings of the process, ordered by address. Page counts only: limits and residency are the kernel's. */
export function createVmaTable(memory: Memory) {
  const state = memory.int32('kernel.vmaState', 4);
  const COUNT = 0;
  const MAPPED = 1; // pages
  const WRITABLE = 2; // pages in writable mappings: the kernel's data_vm
  const words = memory.int32('kernel.vmas', (MAX_MAP_COUNT + 8) * VMA_WORDS, () => state[COUNT]! * VMA_WORDS);

  /** Index of the first mapping that ends after `page`; count() where there is none. */
  function firstEndingAfter(page: Page): number {
    let low = 0;
    let high = state[COUNT]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[middle * VMA_WORDS + END]! > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  function account(pages: Pages, flags: number): void {
    if (flags & VM_ELIDED) return;
    state[MAPPED]! += pages;
    if (flags & PROT_WRITE) state[WRITABLE]! += pages;
  }

  function openGap(index: number): void {
    const count = state[COUNT]!;
    assert(count < MAX_MAP_COUNT + 8, 'the mapping table is full');
    words.copyWithin((index + 1) * VMA_WORDS, index * VMA_WORDS, count * VMA_WORDS);
    state[COUNT] = count + 1;
  }

  function closeGap(index: number): void {
    const count = state[COUNT]!;
    words.copyWithin(index * VMA_WORDS, (index + 1) * VMA_WORDS, count * VMA_WORDS);
    words.fill(0, (count - 1) * VMA_WORDS, count * VMA_WORDS);
    state[COUNT] = count - 1;
  }

  function mergesWithNext(index: number): boolean {
    if (index < 0 || index + 1 >= state[COUNT]!) return false;
    const p = index * VMA_WORDS;
    const q = p + VMA_WORDS;
    return (
      words[p + END] === words[q + START] &&
      words[p + FLAGS] === words[q + FLAGS] &&
      words[p + ORIGIN] === words[q + ORIGIN]
    );
  }

  function mergeAround(index: number): void {
    if (mergesWithNext(index)) {
      words[index * VMA_WORDS + END] = words[(index + 1) * VMA_WORDS + END]!;
      closeGap(index + 1);
    }
    if (mergesWithNext(index - 1)) {
      words[(index - 1) * VMA_WORDS + END] = words[index * VMA_WORDS + END]!;
      closeGap(index);
    }
  }

  /** Cuts the mapping that `page` lies strictly inside of, so that a mapping begins at `page`. */
  function splitAt(page: Page): void {
    const index = firstEndingAfter(page);
    if (index === state[COUNT]) return;
    const p = index * VMA_WORDS;
    if (words[p + START]! >= page) return;
    openGap(index + 1);
    words.copyWithin(p + VMA_WORDS, p, p + VMA_WORDS);
    words[p + END] = page;
    words[p + VMA_WORDS + START] = page;
  }

  /** Maps free pages [start, end). */
  function add(start: Page, end: Page, flags: number, origin = 0): void {
    const index = firstEndingAfter(start);
    assert(index === state[COUNT] || words[index * VMA_WORDS + START]! >= end, 'a mapping is laid over another');
    openGap(index);
    const p = index * VMA_WORDS;
    words[p + START] = start;
    words[p + END] = end;
    words[p + FLAGS] = flags;
    words[p + ORIGIN] = origin;
    account(end - start, flags);
    mergeAround(index);
  }

  /** Unmaps whatever is mapped in [start, end); returns the number of pages that were. */
  function remove(start: Page, end: Page): Pages {
    splitAt(start);
    splitAt(end);
    let pages = 0;
    const index = firstEndingAfter(start);
    let last = index;
    while (last < state[COUNT]! && words[last * VMA_WORDS + START]! < end) {
      const p = last * VMA_WORDS;
      const length = words[p + END]! - words[p + START]!;
      account(-length, words[p + FLAGS]!);
      pages += length;
      last++;
    }
    if (last > index) {
      const count = state[COUNT]!;
      words.copyWithin(index * VMA_WORDS, last * VMA_WORDS, count * VMA_WORDS);
      const left = count - (last - index);
      words.fill(0, left * VMA_WORDS, count * VMA_WORDS);
      state[COUNT] = left;
    }
    return pages;
  }

  /** flags = flags & keep | set over [start, end); false, and nothing changed, where a part is not mapped. */
  function changeFlags(start: Page, end: Page, keep: number, set: number): boolean {
    if (!covered(start, end)) return false;
    splitAt(start);
    splitAt(end);
    const first = firstEndingAfter(start);
    let index = first;
    for (; index < state[COUNT]! && words[index * VMA_WORDS + START]! < end; index++) {
      const p = index * VMA_WORDS;
      const length = words[p + END]! - words[p + START]!;
      account(-length, words[p + FLAGS]!);
      words[p + FLAGS] = (words[p + FLAGS]! & keep) | set;
      account(length, words[p + FLAGS]!);
    }
    for (let i = index; i >= first; i--) if (mergesWithNext(i - 1)) mergeAround(i - 1);
    return true;
  }

  function covered(start: Page, end: Page): boolean {
    let page = start;
    for (let index = firstEndingAfter(start); page < end; index++) {
      if (index === state[COUNT] || words[index * VMA_WORDS + START]! > page) return false;
      page = words[index * VMA_WORDS + END]!;
    }
    return true;
  }

  function isFree(start: Page, end: Page): boolean {
    const index = firstEndingAfter(start);
    return index === state[COUNT] || words[index * VMA_WORDS + START]! >= end;
  }

  /** The end of the highest hole of at least `pages` within [bottom, top); 0 where there is none. */
  function highestHole(pages: Pages, bottom: Page, top: Page): Page {
    let end = top;
    for (let index = firstEndingAfter(top - 1); ; index--) {
      // `end` is the start of mapping `index` or the top; the hole below it reaches down to mapping `index - 1`.
      if (index < state[COUNT]! && words[index * VMA_WORDS + START]! < end) end = words[index * VMA_WORDS + START]!;
      const floor = index > 0 ? Math.max(bottom, words[(index - 1) * VMA_WORDS + END]!) : bottom;
      if (end - floor >= pages) return end;
      if (index <= 0 || floor === bottom) return 0;
    }
  }

  /** The mapping that holds `page`, or -1. */
  function indexOf(page: Page): number {
    const index = firstEndingAfter(page);
    return index < state[COUNT]! && words[index * VMA_WORDS + START]! <= page ? index : -1;
  }

  /** Where the mapping below the unmapped `page` ends; 0 where there is none. */
  function endBelow(page: Page): Page {
    const index = firstEndingAfter(page - 1);
    if (index < state[COUNT]! && words[index * VMA_WORDS + END]! === page) return page;
    return index > 0 ? words[(index - 1) * VMA_WORDS + END]! : 0;
  }

  /** Where the mapping from `page` upwards starts; far above all where there is none. */
  function startAbove(page: Page): Page {
    const index = firstEndingAfter(page);
    return index < state[COUNT]! ? words[index * VMA_WORDS + START]! : 2 ** 31 - 1;
  }

  function check(): void {
    let mapped = 0;
    let writable = 0;
    for (let index = 0; index < state[COUNT]!; index++) {
      const p = index * VMA_WORDS;
      const length = words[p + END]! - words[p + START]!;
      assert(length > 0, `mapping ${index} is empty`);
      if (index > 0)
        assert(words[p + START]! >= words[p - VMA_WORDS + END]!, `mappings ${index - 1} and ${index} overlap`);
      assert(!mergesWithNext(index), `mappings ${index} and ${index + 1} should be one`);
      if (words[p + FLAGS]! & VM_ELIDED) continue;
      mapped += length;
      if (words[p + FLAGS]! & PROT_WRITE) writable += length;
    }
    assert(mapped === state[MAPPED] && writable === state[WRITABLE], 'mapped pages do not add up');
  }

  return {
    add,
    remove,
    changeFlags,
    covered,
    isFree,
    highestHole,
    indexOf,
    endBelow,
    startAbove,
    check,
    count: () => state[COUNT]!,
    mappedPages: (): Pages => state[MAPPED]!,
    writablePages: (): Pages => state[WRITABLE]!,
    start: (index: number): Page => words[index * VMA_WORDS + START]!,
    end: (index: number): Page => words[index * VMA_WORDS + END]!,
    flags: (index: number) => words[index * VMA_WORDS + FLAGS]!,
    origin: (index: number) => words[index * VMA_WORDS + ORIGIN]!,
  };
}
