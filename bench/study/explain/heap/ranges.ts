import {
  isFreeRange,
  RANGE_CACHED,
  RANGE_FREE_WITHIN,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeKind,
} from '../../../../sim/contract/allocator.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { Breakdown } from '../../../../sim/metrics/sample.ts';
import { type Area, areaAt, isResident, NOTHING, residentBytes } from '../../../run/areas.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { LiveBlock } from './live-blocks.ts';

/** All that the allocator holds, in address order, as columns. */
export interface Ranges {
  readonly length: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly kind: Uint8Array;
  /** Index in the list of live blocks, -1 for what is not live. */
  readonly block: Int32Array;
}

export function collectRanges(assembled: Assembled, blocks: readonly LiveBlock[]): Ranges {
  const starts: number[] = [];
  const ends: number[] = [];
  const kinds: number[] = [];
  const owners: number[] = [];
  const add = (start: number, end: number, kind: RangeKind, block: number) => {
    starts.push(start);
    ends.push(end);
    kinds.push(kind);
    owners.push(block);
  };
  for (const [i, b] of blocks.entries()) add(b.address, b.address + b.usableBytes, RANGE_LIVE, i);
  assembled.top.walk((start, length, kind) => {
    if (kind !== RANGE_LIVE && length > 0) add(start, start + length, kind, -1);
  });
  // What an allocator walks through is in order, heap by heap: to put such rows together is quick, but only in an array of the language.
  const order = starts.map((_, i) => i).sort((i, j) => starts[i]! - starts[j]! || ends[i]! - ends[j]!);
  return {
    length: order.length,
    start: Float64Array.from(order, (i) => starts[i]!),
    end: Float64Array.from(order, (i) => ends[i]!),
    kind: Uint8Array.from(order, (i) => kinds[i]!),
    block: Int32Array.from(order, (i) => owners[i]!),
  };
}

/** Pages that something other than free memory lies on, one byte each. */
export function keptPages(assembled: Assembled, ranges: Ranges): Uint8Array {
  const { pages } = assembled.machine.kernel;
  const kept = new Uint8Array(pages.length);
  for (let i = 0; i < ranges.length; i++) {
    if (isFreeRange(ranges.kind[i]) || ranges.end[i] === ranges.start[i]) continue;
    const last = Math.floor((ranges.end[i]! - 1) / PAGE_BYTES);
    for (let page = Math.floor(ranges.start[i]! / PAGE_BYTES); page <= last; page++) kept[page] = 1;
  }
  return kept;
}

/** What of an area is resident, class by class; the classes add up to `residentBytes`. */
export interface AreaReport extends Area {
  readonly mappedBytes: Bytes;
  readonly residentBytes: Bytes;
  readonly breakdown: Breakdown;
  /** As of a sample. */
  readonly withinSlabsBytes: Bytes;
  readonly liveBlocks: number;
  /** Length of the longest run of free bytes. */
  readonly largestFreeBytes: Bytes;
  /** Length of the free memory at its end, resident or not. */
  readonly endFreeBytes: Bytes;
  /** `breakdown.returnable` by what lies above it; null where that keeps nothing: heaps alone are given back from their end. */
  readonly wholeFree: WholeFree | null;
}

/** Whole free pages of a heap by what keeps it from being cut off below them. */
export interface WholeFree {
  /** Nothing but the end of the heap lies above. */
  readonly atEnd: Bytes;
  /** Freed chunks alone, which nothing has merged: those of thread caches and fastbins. */
  readonly belowFreed: Bytes;
  /** A structure of the allocator, no live block. */
  readonly belowOwn: Bytes;
  readonly belowLive: Bytes;
}

const PLACES = ['atEnd', 'belowFreed', 'belowOwn', 'belowLive'] as const;
/** Between headers and structures: a header is a word, a fencepost two. */
const HEADER_BYTES = 16;

/** Slabs, chunks and what the allocator keeps for itself: no page of one is given back while it stands. */
export const goesWhole = ({ kind }: Area): boolean => kind === 'slab' || kind === 'chunk' || kind === 'metadata';

export function reportAreas(
  assembled: Assembled,
  areas: readonly Area[],
  ranges: Ranges,
  blocks: readonly LiveBlock[],
  kept: Uint8Array,
): AreaReport[] {
  const sums = columnsOf(areas.length);
  const { resident, returnable } = partsOnPages(assembled, kept);
  const placeOf = placesOf(areas, ranges);
  const atEnd = PLACES.indexOf('atEnd');
  for (let i = 0, index = 0; i < ranges.length; i++) {
    const start = ranges.start[i]!;
    const end = ranges.end[i]!;
    while (index < areas.length && areas[index]!.end <= start) index++;
    if (index === areas.length) break;
    if (areas[index]!.start > start) continue;
    switch (ranges.kind[i]) {
      case RANGE_LIVE: {
        const middle = start + Math.min(blocks[ranges.block[i]!]!.requestedBytes, end - start);
        sums.live[index]!++;
        sums.requested[index]! += resident(start, middle);
        sums.slack[index]! += resident(middle, end);
        break;
      }
      case RANGE_METADATA:
        sums.metadata[index]! += resident(start, end);
        break;
      case RANGE_CACHED:
        sums.cached[index]! += resident(start, end);
        break;
      default: {
        const wholeBytes = returnable(start, end);
        sums.largestFree[index] = Math.max(sums.largestFree[index]!, end - start);
        if (placeOf[i] === atEnd) sums.endFree[index]! += end - start;
        sums.pinned[index]! += resident(start, end) - wholeBytes;
        sums.returnable[index]! += wholeBytes;
        sums.whole[index * PLACES.length + placeOf[i]!]! += wholeBytes;
        if (ranges.kind[i] === RANGE_FREE_WITHIN) sums.withinSlabs[index]! += wholeBytes;
      }
    }
  }
  return areas.map((area, i) => ({
    name: area.name,
    kind: area.kind,
    start: area.start,
    end: area.end,
    mappedBytes: area.end - area.start,
    residentBytes: residentBytes(assembled, area),
    breakdown: {
      requested: sums.requested[i]!,
      slack: sums.slack[i]!,
      metadata: sums.metadata[i]!,
      cached: sums.cached[i]!,
      pinned: sums.pinned[i]!,
      returnable: sums.returnable[i]!,
    },
    withinSlabsBytes: sums.withinSlabs[i]!,
    liveBlocks: sums.live[i]!,
    largestFreeBytes: sums.largestFree[i]!,
    endFreeBytes: sums.endFree[i]!,
    wholeFree: area.kind === 'heap' ? wholeFree(sums.whole, i) : null,
  }));
}

/** Of a stretch of bytes, those that are resident, and of these those on pages that nothing keeps. */
function partsOnPages(assembled: Assembled, kept: Uint8Array) {
  const { pages } = assembled.machine.kernel;
  return {
    resident: (start: number, end: number): Bytes => residentBytes(assembled, { start, end }),
    returnable(from: number, to: number): Bytes {
      let bytes = 0;
      for (let at = from; at < to; ) {
        const page = Math.floor(at / PAGE_BYTES);
        const next = Math.min(to, (page + 1) * PAGE_BYTES);
        if (kept[page] === 0 && isResident(pages, page)) bytes += next - at;
        at = next;
      }
      return bytes;
    },
  };
}

const COLUMNS = [
  ...(Object.keys(NOTHING) as (keyof Breakdown)[]),
  'live',
  'largestFree',
  'endFree',
  'withinSlabs',
] as const;

/** By area; there may be as many as slabs. */
function columnsOf(length: number): Record<(typeof COLUMNS)[number] | 'whole', Float64Array> {
  const columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float64Array(length)]));
  return {
    ...(columns as Record<(typeof COLUMNS)[number], Float64Array>),
    whole: new Float64Array(length * PLACES.length),
  };
}

function wholeFree(whole: Float64Array, area: number): WholeFree {
  const [atEnd, belowFreed, belowOwn, belowLive] = whole.subarray(area * PLACES.length, (area + 1) * PLACES.length);
  return { atEnd: atEnd!, belowFreed: belowFreed!, belowOwn: belowOwn!, belowLive: belowLive! };
}

/** For each range an index of PLACES: the most lasting thing above it in its area. */
function placesOf(areas: readonly Area[], ranges: Ranges): Uint8Array {
  const places = new Uint8Array(ranges.length);
  let area = -1;
  let above = 0;
  for (let i = ranges.length - 1; i >= 0; i--) {
    const start = ranges.start[i]!;
    if (area < 0 || start < areas[area]!.start) {
      area = areaAt(areas, start);
      above = PLACES.indexOf('atEnd');
    }
    places[i] = above;
    const isHeader = ranges.end[i]! - start <= HEADER_BYTES;
    if (ranges.kind[i] === RANGE_LIVE) above = PLACES.indexOf('belowLive');
    else if (ranges.kind[i] === RANGE_METADATA && !isHeader) above = Math.max(above, PLACES.indexOf('belowOwn'));
    // Free chunks side by side are not merged: one of them is in a fastbin.
    else if (ranges.kind[i] !== RANGE_METADATA) above = Math.max(above, PLACES.indexOf('belowFreed'));
  }
  return places;
}

/** The classes over all areas: those of a sample. */
export function sumOfAreas(areas: readonly AreaReport[]): Pick<AreaReport, 'breakdown' | 'withinSlabsBytes'> {
  const breakdown = { ...NOTHING };
  const names = Object.keys(breakdown) as (keyof Breakdown)[];
  for (const area of areas) for (const name of names) breakdown[name] += area.breakdown[name];
  return { breakdown, withinSlabsBytes: areas.reduce((sum, area) => sum + area.withinSlabsBytes, 0) };
}
