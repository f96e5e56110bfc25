import type { Page, Pages } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import { ABSENT, COPY_ON_WRITE, LAZILY_FREED, RESIDENT } from '../../sim/kernel/residency.ts';

/**
 * A process's own mappings and which of their pages are resident, as runs in the order of addresses.
 *
 *   │ mappings │ start end flags │ … │ runs │ start end state │ … │
 */
export type Layout = Int32Array;

/** The mappings and resident pages of a kernel. Zero pages and absent ones are in no run. */
export function layoutOf(kernel: Kernel): Layout {
  const { vmas, pages } = kernel;
  const eights = new Float64Array(pages.buffer);
  const words: number[] = [vmas.count()];
  for (let i = 0; i < vmas.count(); i++) words.push(vmas.start(i), vmas.end(i), vmas.flags(i));
  const countAt = words.length;
  words.push(0);
  let runs = 0;
  for (let i = 0; i < vmas.count(); i++) {
    const end = vmas.end(i);
    for (let page = vmas.start(i); page < end; ) {
      if ((page & 7) === 0 && page + 8 <= end && eights[page >> 3] === 0) {
        page += 8;
        continue;
      }
      const state = pages[page]!;
      const start = page;
      page = runEnd(page, end, state, pages, eights);
      if (state === ABSENT) continue;
      words.push(start, page, state);
      runs++;
    }
  }
  words[countAt] = runs;
  return Int32Array.from(words);
}

/** Eight pages of one state, as one number, by state. */
const ALIKE = Float64Array.from(
  { length: 16 },
  (_, state) => new Float64Array(new Uint8Array(8).fill(state).buffer)[0]!,
);

/** Where a run of pages of one state ends. */
function runEnd(start: Page, end: Page, state: number, pages: Uint8Array, eights: Float64Array): Page {
  const alike = ALIKE[state]!;
  let page = start + 1;
  while (page < end) {
    if ((page & 7) === 0 && page + 8 <= end && eights[page >> 3] === alike) page += 8;
    else if (pages[page] === state) page++;
    else return page;
  }
  return page;
}

export interface Mapping {
  readonly start: Page;
  readonly end: Page;
  readonly flags: number;
}

export function mappingsOf(layout: Layout): Mapping[] {
  return Array.from({ length: layout[0]! }, (_, i) => ({
    start: layout[1 + 3 * i]!,
    end: layout[2 + 3 * i]!,
    flags: layout[3 + 3 * i]!,
  }));
}

/** Runs of resident pages: lazily freed ones, and those that are the master's too, among them. */
export function residentRuns(layout: Layout): { start: Page; end: Page; isShared: boolean }[] {
  const at = 1 + 3 * layout[0]!;
  const runs: { start: Page; end: Page; isShared: boolean }[] = [];
  for (let i = 0; i < layout[at]!; i++) {
    const state = layout[at + 3 + 3 * i]!;
    if (state !== RESIDENT && state !== LAZILY_FREED && state !== COPY_ON_WRITE) continue;
    runs.push({ start: layout[at + 1 + 3 * i]!, end: layout[at + 2 + 3 * i]!, isShared: state === COPY_ON_WRITE });
  }
  return runs;
}

export const residentPagesOf = (layout: Layout): Pages =>
  residentRuns(layout).reduce((sum, { start, end }) => sum + end - start, 0);

/** Of them: pages that are the master's too. */
export const sharedPagesOf = (layout: Layout): Pages =>
  residentRuns(layout).reduce((sum, { start, end, isShared }) => sum + (isShared ? end - start : 0), 0);

/** The same with so many of the pages that were the master's too, from the lowest on, as the process's own. */
export function withCopies(layout: Layout, pages: Pages): Layout {
  if (pages === 0) return layout;
  const at = 1 + 3 * layout[0]!;
  const words = [...layout.subarray(0, at + 1)];
  let left = pages;
  for (let i = 0; i < layout[at]!; i++) {
    const [start, end, state] = layout.subarray(at + 1 + 3 * i, at + 4 + 3 * i) as unknown as [Page, Page, number];
    const own = state === COPY_ON_WRITE ? Math.min(left, end - start) : 0;
    left -= own;
    if (own > 0) words.push(start, start + own, RESIDENT);
    if (start + own < end) words.push(start + own, end, state);
  }
  words[at] = (words.length - at - 1) / 3;
  return Int32Array.from(words);
}
