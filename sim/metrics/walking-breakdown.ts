import { type Allocator, isFreeRange, RANGE_CACHED, RANGE_FREE_WITHIN, RANGE_METADATA } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import { type Addr, type Bytes, HUGE_PAGES, PAGE_BYTES, type Page } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';
import { forEachLive, type ObjectTable } from '../replay/objects.ts';
import { breakdownBytes, type MeasuredBreakdown } from './breakdown.ts';

const KEPT = 1; // scratch: something that is not free lies on this resident page

/** Eight pages at a time: eight bytes of one value as a double. */
const eightOf = (value: number): number => new Float64Array(new Uint8Array(8).fill(value).buffer)[0]!;
const ALL_RESIDENT = eightOf(RESIDENT);
const ALL_KEPT = eightOf(KEPT);

/** Looks at every block and every range of the model. Its scratch page map costs 8 MiB and is used again from time to time. */
export function createWalkingBreakdown(kernel: Kernel, allocator: Allocator, objects: ObjectTable) {
  const { pages, residency } = kernel;
  const { used } = residency;
  const eights = new Float64Array(pages.buffer, pages.byteOffset, pages.length / 8); // 0 where eight pages are absent
  const scratch = new Uint8Array(pages.length);
  const scratchEights = new Float64Array(scratch.buffer);
  const measured = { all: 0, kept: 0 };
  const isResident = (page: number) => pages[page] === RESIDENT || pages[page] === LAZILY_FREED;

  /**
   * Resident bytes of [start, end) by what else lies on their pages: all of them, and those on kept pages. With `keep`
   * the pages are marked as kept first. Only the ends of a range need arithmetic in bytes.
   */
  function measure(start: Addr, end: Addr, keep: boolean): void {
    measured.all = 0;
    measured.kept = 0;
    if (end <= start) return;
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    if (first === last) {
      measurePage(first, end - start, keep);
      return;
    }
    measurePage(first, (first + 1) * PAGE_BYTES - start, keep);
    measurePage(last, end - last * PAGE_BYTES, keep);
    let resident = 0;
    let kept = 0;
    for (let page = first + 1; page < last; page++) {
      if ((page & 7) === 0 && page + 8 <= last) {
        const eight = page >> 3;
        if (eights[eight] === 0) {
          page += (page & (HUGE_PAGES - 1)) === 0 && used[page / HUGE_PAGES] === 0 ? HUGE_PAGES - 1 : 7;
          continue;
        }
        if (eights[eight] === ALL_RESIDENT && (keep || scratchEights[eight] === 0)) {
          if (keep) scratchEights[eight] = ALL_KEPT;
          resident += 8;
          page += 7;
          continue;
        }
      }
      if (!isResident(page)) continue;
      resident++;
      if (keep) scratch[page] = KEPT;
      else kept += scratch[page]!;
    }
    measured.all += resident * PAGE_BYTES;
    measured.kept += kept * PAGE_BYTES;
  }

  function measurePage(page: Page, bytes: Bytes, keep: boolean): void {
    if (!isResident(page)) return;
    if (keep) scratch[page] = KEPT;
    measured.all += bytes;
    if (scratch[page] === KEPT) measured.kept += bytes;
  }

  /** Resident bytes of [start, end); marks their pages as kept. */
  function keep(start: Addr, end: Addr): Bytes {
    measure(start, end, true);
    return measured.all;
  }

  function forgetKept(): void {
    const { vmas } = kernel;
    for (let i = 0; i < vmas.count(); i++) {
      const end = vmas.end(i);
      for (let page = vmas.start(i); page < end; ) {
        const next = Math.min(end, page - (page % HUGE_PAGES) + HUGE_PAGES);
        if (used[Math.floor(page / HUGE_PAGES)] !== 0) scratch.fill(0, page, next);
        page = next;
      }
    }
  }

  return function breakdown(): MeasuredBreakdown {
    const free: number[] = []; // start, end, whether it is within a slab; and so on
    let withinSlabsBytes = 0;
    let requestedBytes = 0;
    let usableBytes = 0;
    let liveBlocks = 0;
    let freeBytes = 0;
    let largestFreeBytes = 0;
    const resident = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };

    forEachLive(objects, (_slot, handle, requested) => {
      const start = allocator.addressOf(handle);
      const usable = allocator.usableSize(handle);
      const middle = start + Math.min(requested, usable);
      requestedBytes += requested;
      usableBytes += usable;
      liveBlocks++;
      resident.requested += keep(start, middle);
      resident.slack += keep(middle, start + usable);
    });
    allocator.walk((start, length, kind) => {
      if (kind === RANGE_METADATA) resident.metadata += keep(start, start + length);
      else if (kind === RANGE_CACHED) resident.cached += keep(start, start + length);
      else if (isFreeRange(kind)) {
        free.push(start, start + length, kind === RANGE_FREE_WITHIN ? 1 : 0);
        freeBytes += length;
        if (length > largestFreeBytes) largestFreeBytes = length;
      }
    });
    for (let i = 0; i < free.length; i += 3) {
      measure(free[i]!, free[i + 1]!, false);
      resident.pinned += measured.kept;
      resident.returnable += measured.all - measured.kept;
      if (free[i + 2] === 1) withinSlabsBytes += measured.all - measured.kept;
    }
    forgetKept();
    const rssBytes = kernel.residency.residentPages() * PAGE_BYTES;
    const classed = breakdownBytes(resident);
    assert(classed === rssBytes, `the classes of the breakdown hold ${classed} of ${rssBytes} resident bytes`);
    return { requestedBytes, usableBytes, liveBlocks, freeBytes, largestFreeBytes, resident, withinSlabsBytes };
  };
}
