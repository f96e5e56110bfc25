import { type Allocator, type FreeVisitors, RANGE_CACHED, RANGE_FREE_WITHIN } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import { type Addr, type Bytes, PAGE_BYTES, type Page } from '../contract/units.ts';
import type { Machine } from '../kernel/machine.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';
import { LARGEST_REQUESTED, type ObjectTable, requestedOf } from '../replay/objects.ts';
import { breakdownBytes, type MeasuredBreakdown } from './breakdown.ts';
import { createResidentBytes } from './resident-bytes.ts';

/**
 * The same as a walk over everything, from what has changed since the last time: of live blocks it remembers where they lay, and how many
 * bytes of them each page holds; of the rest it asks for what is free. Metadata are what remains, since every resident byte is in
 * one class (`createWalkingBreakdown` checks that they are).
 */
export function createFollowingBreakdown({ kernel, memory }: Machine, allocator: Allocator, objects: ObjectTable) {
  const { pages } = kernel;
  const eights = new Float64Array(pages.buffer, pages.byteOffset, pages.length / 8); // 0 where eight pages are absent
  const { handles, requested, lgStride } = objects;
  const { addressOf, usableSize } = allocator;
  const limit = Math.floor(handles.length / 2 ** lgStride) + 1;

  // By object slot, as it was seen last.
  const seenHandle = new Int32Array(limit);
  const seenRequested = new Float64Array(limit);
  const seenUsable = new Float64Array(limit);
  const seenStart = new Float64Array(limit);

  const bytes = createResidentBytes(kernel);
  const { totals: onResident, addFree, freeOn } = bytes;
  let hasSeenAll = false;
  let restoresSeen = 0;
  const totals = { requested: 0, usable: 0, blocks: 0 };

  // Of free ranges that are told at every sample and do not fill their first or last page: their bytes by page, and which pages that are.
  const restOn = new Uint16Array(pages.length);
  const withinSlab = new Uint8Array(pages.length); // of these pages: a slab is on no page that something else is on
  let partlyFree: Page[] = [];

  const isResident = (page: Page) => pages[page] === RESIDENT || pages[page] === LAZILY_FREED;

  function countBlock(slot: number, sign: number): void {
    const start = seenStart[slot]!;
    const usable = seenUsable[slot]!;
    const middle = start + Math.min(seenRequested[slot]!, usable);
    bytes.addRequested(start, middle, sign);
    bytes.addSlack(middle, start + usable, sign);
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
    if (memory.restores !== restoresSeen) hasSeenAll = false;
    restoresSeen = memory.restores;
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
    if (restOn[page] === 0) partlyFree.push(page);
    restOn[page]! += bytes;
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

  const measured = { freeBytes: 0, largestFreeBytes: 0, cached: 0, returnable: 0, withinSlabsBytes: 0 };

  const visitors: FreeVisitors = {
    come: (start, length) => addFree(start, start + length, 1),
    gone: (start, length) => addFree(start, start + length, -1),
    rest(start, length, kind) {
      if (length === 0) return;
      if (kind === RANGE_CACHED) {
        measured.cached += residentBytes(start, start + length);
        return;
      }
      measured.freeBytes += length;
      if (length > measured.largestFreeBytes) measured.largestFreeBytes = length;
      const within = kind === RANGE_FREE_WITHIN ? 1 : 0;
      const filled = filledBytes(start, start + length, within);
      measured.returnable += filled;
      if (within) measured.withinSlabsBytes += filled;
    },
  };

  function followFree(): void {
    Object.assign(measured, { freeBytes: 0, largestFreeBytes: 0, cached: 0, returnable: 0, withinSlabsBytes: 0 });
    partlyFree = [];
    if (!allocator.followFree) {
      allocator.walkFree!(visitors.rest);
      return;
    }
    const followed = allocator.followFree(visitors);
    measured.freeBytes += followed.bytes;
    measured.largestFreeBytes = Math.max(measured.largestFreeBytes, followed.largestBytes);
  }

  /** Pages that hold ends of ranges told at every sample, and perhaps followed ones too. */
  function countPartlyFree(resident: { pinned: Bytes; returnable: Bytes }): void {
    for (const page of partlyFree) {
      if (isResident(page)) {
        if (restOn[page]! + freeOn[page]! === PAGE_BYTES) {
          resident.pinned -= freeOn[page]!;
          resident.returnable += PAGE_BYTES;
          if (withinSlab[page]) measured.withinSlabsBytes += PAGE_BYTES;
        } else resident.pinned += restOn[page]!;
      }
      restOn[page] = 0;
    }
  }

  /** `changed`: object slots, 0 for none, among which are all that have changed since the last time; without it, any may have. */
  return function breakdown(changed: Int32Array | undefined): MeasuredBreakdown {
    bytes.followPages();
    followBlocks(changed);
    followFree();
    const { requested: asked, slack, pinned, returnable } = onResident;
    const { cached } = measured;
    const resident = {
      requested: asked,
      slack,
      metadata: 0,
      cached,
      pinned,
      returnable: returnable + measured.returnable,
    };
    countPartlyFree(resident);
    const rssBytes = kernel.residency.residentPages() * PAGE_BYTES;
    resident.metadata = rssBytes - breakdownBytes(resident);
    assert(resident.metadata >= 0, `the classes of the breakdown hold more than the ${rssBytes} resident bytes`);
    return {
      requestedBytes: totals.requested,
      usableBytes: totals.usable,
      liveBlocks: totals.blocks,
      freeBytes: measured.freeBytes,
      largestFreeBytes: measured.largestFreeBytes,
      resident,
      withinSlabsBytes: measured.withinSlabsBytes,
    };
  };
}
