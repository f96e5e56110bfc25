import { type Allocator, RANGE_CACHED, RANGE_FREE_WITHIN } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import { type Addr, type Bytes, PAGE_BYTES, type Page } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';
import { LARGEST_REQUESTED, type ObjectTable, requestedOf } from '../replay/objects.ts';
import type { MeasuredBreakdown } from './breakdown.ts';

/**
 * The same as a walk over everything, from what has changed since the last time: of live blocks it remembers where they lay, and how many
 * bytes of them each page holds; of the rest it asks for what is free. Metadata are what remains, since every resident byte is in
 * one class (`createWalkingBreakdown` checks that they are).
 */
export function createFollowingBreakdown(kernel: Kernel, allocator: Allocator, objects: ObjectTable) {
  const { pages, vmas } = kernel;
  const eights = new Float64Array(pages.buffer, pages.byteOffset, pages.length / 8); // 0 where eight pages are absent
  const { handles, requested, lgStride } = objects;
  const { addressOf, usableSize } = allocator;
  const limit = Math.floor(handles.length / 2 ** lgStride) + 1;

  // By object slot, as it was seen last.
  const seenHandle = new Int32Array(limit);
  const seenRequested = new Float64Array(limit);
  const seenUsable = new Float64Array(limit);
  const seenStart = new Float64Array(limit);

  // By page: bytes of live blocks that were asked for, and those behind them; at most 4096.
  const requestedOn = new Uint16Array(pages.length);
  const slackOn = new Uint16Array(pages.length);
  let hasSeenAll = false;
  const totals = { requested: 0, usable: 0, blocks: 0 };

  // Of free ranges that do not fill their first or last page: their bytes by page, and which pages that are.
  const freeOn = new Uint16Array(pages.length);
  const withinSlab = new Uint8Array(pages.length); // of these pages: a slab is on no page that something else is on
  let partlyFree: Page[] = [];

  const isResident = (page: Page) => pages[page] === RESIDENT || pages[page] === LAZILY_FREED;

  /** Adds `sign` times the bytes of [start, end) to their pages. */
  function count(column: Uint16Array, start: Addr, end: Addr, sign: number): void {
    if (end <= start) return;
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    if (first === last) {
      column[first]! += sign * (end - start);
      return;
    }
    column[first]! += sign * ((first + 1) * PAGE_BYTES - start);
    column[last]! += sign * (end - last * PAGE_BYTES);
    for (let page = first + 1; page < last; page++) column[page]! += sign * PAGE_BYTES;
  }

  function countBlock(slot: number, sign: number): void {
    const start = seenStart[slot]!;
    const usable = seenUsable[slot]!;
    const middle = start + Math.min(seenRequested[slot]!, usable);
    count(requestedOn, start, middle, sign);
    count(slackOn, middle, start + usable, sign);
    totals.requested += sign * seenRequested[slot]!;
    totals.usable += sign * usable;
    totals.blocks += sign;
  }

  function follow(slot: number): void {
    const handle = handles[slot << lgStride]!;
    const seen = seenHandle[slot]!;
    if (handle === 0) {
      if (seen === 0) return;
      countBlock(slot, -1);
      seenHandle[slot] = 0;
      return;
    }
    const column = requested[slot << lgStride]!;
    const size = column < LARGEST_REQUESTED ? column : requestedOf(objects, slot);
    const start = addressOf(handle);
    const usable = usableSize(handle);
    if (seen === handle && size === seenRequested[slot] && start === seenStart[slot] && usable === seenUsable[slot]) {
      return;
    }
    if (seen !== 0) countBlock(slot, -1);
    seenHandle[slot] = handle;
    seenRequested[slot] = size;
    seenStart[slot] = start;
    seenUsable[slot] = usable;
    countBlock(slot, 1);
  }

  function followBlocks(changed: Int32Array | undefined): void {
    const slots = objects.slots();
    if (changed !== undefined && hasSeenAll && changed.length < slots) {
      for (const slot of changed) if (slot > 0 && slot < slots) follow(slot);
      return;
    }
    for (let slot = 1; slot < slots; slot++) follow(slot);
    hasSeenAll = true;
  }

  /** Resident pages of [first, end). */
  function residentPages(first: Page, end: Page): number {
    let resident = 0;
    for (let page = first; page < end; page++) {
      if ((page & 7) === 0 && page + 8 <= end && eights[page >> 3] === 0) page += 7;
      else if (isResident(page)) resident++;
    }
    return resident;
  }

  /** Resident bytes of [start, end). */
  function residentBytes(start: Addr, end: Addr): Bytes {
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    if (first === last) return isResident(first) ? end - start : 0;
    let bytes = residentPages(first + 1, last) * PAGE_BYTES;
    if (isResident(first)) bytes += (first + 1) * PAGE_BYTES - start;
    if (isResident(last)) bytes += end - last * PAGE_BYTES;
    return bytes;
  }

  function partlyFreePage(page: Page, bytes: Bytes, within: number): void {
    if (freeOn[page] === 0) partlyFree.push(page);
    freeOn[page]! += bytes;
    withinSlab[page] = within;
  }

  /** Bytes on the resident pages that [start, end) fills alone; the ends are noted. */
  function filledBytes(start: Addr, end: Addr, within: number): Bytes {
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor(end / PAGE_BYTES);
    if (first === last) {
      partlyFreePage(first, end - start, within);
      return 0;
    }
    const head = start - first * PAGE_BYTES;
    const tail = end - last * PAGE_BYTES;
    if (head > 0) partlyFreePage(first, PAGE_BYTES - head, within);
    if (tail > 0) partlyFreePage(last, tail, within);
    return residentPages(head > 0 ? first + 1 : first, last) * PAGE_BYTES;
  }

  /** `changed`: object slots, 0 for none, among which are all that have changed since the last time; without it, any may have. */
  return function breakdown(changed: Int32Array | undefined): MeasuredBreakdown {
    followBlocks(changed);
    let freeBytes = 0;
    let largestFreeBytes = 0;
    let withinSlabsBytes = 0;
    const resident = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };
    for (let i = 0; i < vmas.count(); i++) {
      const end = vmas.end(i);
      for (let page = vmas.start(i); page < end; page++) {
        if ((page & 7) === 0 && page + 8 <= end && eights[page >> 3] === 0) {
          page += 7;
        } else if (isResident(page)) {
          resident.requested += requestedOn[page]!;
          resident.slack += slackOn[page]!;
        }
      }
    }
    partlyFree = [];
    allocator.walkFree!((start, length, kind) => {
      if (length === 0) return;
      if (kind === RANGE_CACHED) {
        resident.cached += residentBytes(start, start + length);
        return;
      }
      freeBytes += length;
      if (length > largestFreeBytes) largestFreeBytes = length;
      const within = kind === RANGE_FREE_WITHIN ? 1 : 0;
      const filled = filledBytes(start, start + length, within);
      resident.returnable += filled;
      if (within) withinSlabsBytes += filled;
    });
    for (const page of partlyFree) {
      if (isResident(page)) {
        if (freeOn[page] === PAGE_BYTES) {
          resident.returnable += PAGE_BYTES;
          if (withinSlab[page]) withinSlabsBytes += PAGE_BYTES;
        } else resident.pinned += freeOn[page]!;
      }
      freeOn[page] = 0;
    }
    const { requested: asked, slack, cached, pinned, returnable } = resident;
    const rssBytes = kernel.residency.residentPages() * PAGE_BYTES;
    resident.metadata = rssBytes - asked - slack - cached - pinned - returnable;
    assert(resident.metadata >= 0, `the classes of the breakdown hold more than the ${rssBytes} resident bytes`);
    return {
      requestedBytes: totals.requested,
      usableBytes: totals.usable,
      liveBlocks: totals.blocks,
      freeBytes,
      largestFreeBytes,
      resident,
      withinSlabsBytes,
    };
  };
}
