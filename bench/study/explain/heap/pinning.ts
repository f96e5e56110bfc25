import { isFreeRange, RANGE_CACHED, RANGE_LIVE, type ThreadSlot } from '../../../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../../../sim/contract/assert.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { realAddress } from '../../../../sim/kernel/layout.ts';
import { type Area, areaAt, isResident } from '../../../run/areas.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { Experiment } from './experiment.ts';
import type { LiveBlock } from './live-blocks.ts';
import type { Ranges } from './ranges.ts';
import { canFlush, releaseAll } from './release.ts';

/**
 * Blocks that keep more memory than they use. Which blocks might is found from the layout; what freeing them gives back
 * is measured: they are freed, in this order and by these threads, and the resident bytes are compared.
 */
export interface PinningGroup {
  /** Name of the area that the first block lies in. */
  readonly area: string;
  readonly blocks: readonly PinningBlock[];
  /** What the blocks occupy themselves, usable bytes. */
  readonly ownBytes: Bytes;
  /** Resident bytes that go when the blocks are freed and nothing else is done. */
  readonly freeReturnsBytes: Bytes;
  /** … when they are freed and the allocator is then asked for all it can give back, beyond what asking alone returns. */
  readonly purgeReturnsBytes: Bytes;
  /** The larger of the two; what the groups are ranked by. */
  readonly returnsBytes: Bytes;
  readonly by: 'free' | 'free and trim' | 'free, flush and purge';
  /** The line of code that allocated the first block, where the trace has call sites. */
  readonly line?: string;
}

export interface PinningBlock {
  /** The event that gave the block its present size and place. */
  readonly event: number;
  readonly thread: number;
  /** As the real process would show it. */
  readonly address: number;
  readonly requestedBytes: Bytes;
  readonly usableBytes: Bytes;
  /** By whom it was freed to measure: its thread, or the main thread where that one has exited. */
  readonly freedByThread: number;
}

/** A group of more blocks than this is no advice. */
const GROUP_BLOCKS_MAX = 32;
const CANDIDATES_MAX = 80;
const CANDIDATES_MIN = 10;
/** Each group is measured by a request to give everything back, which goes through all that is free: half a million freed chunks take 0.1 s. */
const RANGES_LOOKED_AT = 20_000_000;
const PINS_RATIO = 2; // holds at least twice what it uses

interface Candidate {
  /** The live blocks of its area. */
  readonly list: readonly LiveBlock[];
  readonly first: number;
  readonly last: number;
  readonly own: Bytes;
  readonly gain: Bytes; // an estimate
  /** Few blocks that hold much come first; a group of many has to hold more. */
  readonly weight: number;
}

/** So many of the best are put in order first: mostly they are enough. */
const RANKED = 4096;

export function findPinning(
  assembled: Assembled,
  areas: readonly Area[],
  ranges: Ranges,
  blocks: readonly LiveBlock[],
  kept: Uint8Array,
  threads: readonly ThreadSlot[],
  experiment: Experiment,
  limit: number,
): PinningGroup[] {
  const groups = candidateGroups(assembled, areas, ranges, blocks, kept);
  const purgeAlone = experiment(() => residentAfterRelease(assembled, threads));
  const measured = groups.map((group) => measure(assembled, areas, threads, group, purgeAlone, experiment));
  return measured
    .filter((g) => g !== undefined)
    .filter((g) => g.returnsBytes > 0)
    .sort((x, y) => y.returnsBytes - x.returnsBytes || x.blocks.length - y.blocks.length)
    .slice(0, limit);
}

const rss = ({ machine }: Assembled): Bytes => machine.kernel.residency.residentPages() * PAGE_BYTES;

function residentAfterRelease(assembled: Assembled, threads: readonly ThreadSlot[]): Bytes {
  releaseAll(assembled, threads);
  return rss(assembled);
}

function freeAll(assembled: Assembled, group: readonly LiveBlock[]): void {
  for (const block of group) {
    block.owner.free(block.freedBy, block.handle);
    assembled.objects.handles[block.slot] = 0;
  }
}

function measure(
  assembled: Assembled,
  areas: readonly Area[],
  threads: readonly ThreadSlot[],
  group: readonly LiveBlock[],
  purgeAlone: Bytes,
  experiment: Experiment,
): PinningGroup | undefined {
  const now = rss(assembled);
  const after = experiment(() => {
    try {
      freeAll(assembled, group);
    } catch (error) {
      // Nobody can free it any more: the heap of the thread that exited is not another thread's.
      if (error instanceof AllocatorAbort) return undefined;
      throw error;
    }
    const freed = rss(assembled);
    return [freed, residentAfterRelease(assembled, threads)] as const;
  });
  if (!after) return undefined;
  const [afterFree, afterPurge] = after;
  const freeReturnsBytes = now - afterFree;
  const purgeReturnsBytes = purgeAlone - afterPurge;
  const area = areas[areaAt(areas, group[0]!.address)];
  return {
    area: area?.name ?? '',
    blocks: group.map((b) => ({
      event: b.event,
      thread: b.thread,
      address: realAddress(b.address),
      requestedBytes: b.requestedBytes,
      usableBytes: b.usableBytes,
      freedByThread: b.freedBy === 0 ? 0 : b.thread,
    })),
    ownBytes: group.reduce((sum, b) => sum + b.usableBytes, 0),
    freeReturnsBytes,
    purgeReturnsBytes,
    returnsBytes: Math.max(freeReturnsBytes, purgeReturnsBytes),
    by:
      freeReturnsBytes >= purgeReturnsBytes ? 'free' : canFlush(assembled) ? 'free, flush and purge' : 'free and trim',
  };
}

/** Groups of neighbours whose place joins with the free memory around it, best first, each block in one group at most. */
function candidateGroups(
  assembled: Assembled,
  areas: readonly Area[],
  ranges: Ranges,
  blocks: readonly LiveBlock[],
  kept: Uint8Array,
): LiveBlock[][] {
  const found: Candidate[] = [];
  for (let from = 0; from < ranges.length; ) {
    const area = areaAt(areas, ranges.start[from]!);
    let to = from + 1;
    while (to < ranges.length && (area < 0 || ranges.start[to]! < areas[area]!.end)) to++;
    if (area >= 0) candidatesIn(assembled, areas[area]!, ranges, from, to, blocks, kept, found);
    from = to;
  }
  const pinning = found.filter((c) => c.gain >= PINS_RATIO * c.own);
  const most = Math.max(CANDIDATES_MIN, Math.min(CANDIDATES_MAX, RANGES_LOOKED_AT / ranges.length));
  return chooseBest(pinning.length > 0 ? pinning : found, most);
}

function chooseBest(found: readonly Candidate[], most: number): LiveBlock[][] {
  const { length } = found;
  const weights = Float64Array.from(found, ({ weight }) => weight).sort();
  for (let ranked = Math.min(length, RANKED); ; ranked = Math.min(length, ranked * 8)) {
    const least = weights[length - ranked]!;
    const best = found.filter(({ weight }) => weight >= least);
    const chosen = chooseInOrder(
      best.sort((x, y) => y.weight - x.weight || x.first - y.first),
      most,
    );
    if (chosen.length >= most || ranked === length) return chosen;
  }
}

function chooseInOrder(best: readonly Candidate[], most: number): LiveBlock[][] {
  const chosen: LiveBlock[][] = [];
  const taken = new Set<number>();
  for (const { list, first, last } of best) {
    if (chosen.length >= most) break;
    const group = list.slice(first, last + 1);
    if (group.some((b) => taken.has(b.slot))) continue;
    for (const b of group) taken.add(b.slot);
    chosen.push(group);
  }
  return chosen;
}

/**
 * Windows of up to GROUP_BLOCKS_MAX consecutive live blocks. The estimate for one: resident pages between the kept
 * things before and after it that nothing would keep any more; behind the last block of a heap, also the free end that
 * could then be cut off. Slabs and chunks go as a whole or not at all.
 */
function candidatesIn(
  assembled: Assembled,
  area: Area,
  ranges: Ranges,
  from: number,
  to: number,
  blocks: readonly LiveBlock[],
  kept: Uint8Array,
  found: Candidate[],
): void {
  const { pages } = assembled.machine.kernel;
  const list: LiveBlock[] = [];
  // For each live block the end of what is kept before it, and the start of what is kept behind it.
  const keptBefore: number[] = [];
  const keptAfter: number[] = [];
  let barrier = area.start;
  let previous = -1;
  for (let i = from; i < to; i++) {
    const kind = ranges.kind[i];
    if (kind === RANGE_LIVE) {
      if (previous >= 0) keptAfter[previous] ??= ranges.start[i]!;
      keptBefore.push(barrier);
      barrier = ranges.end[i]!;
      previous = list.push(blocks[ranges.block[i]!]!) - 1;
    } else if (kind === RANGE_CACHED) {
      if (previous >= 0) keptAfter[previous] ??= ranges.start[i]!;
      barrier = ranges.end[i]!;
    }
  }
  if (list.length === 0) return;
  keptAfter[previous] ??= area.end;

  // Sums up to a page: resident ones, and those of them that something keeps.
  const firstPage = Math.floor(area.start / PAGE_BYTES);
  const areaPages = Math.ceil(area.end / PAGE_BYTES) - firstPage;
  const residentBefore = new Int32Array(areaPages + 1);
  const keptResidentBefore = new Int32Array(areaPages + 1);
  for (let i = 0; i < areaPages; i++) {
    const resident = isResident(pages, firstPage + i) ? 1 : 0;
    residentBefore[i + 1] = residentBefore[i]! + resident;
    keptResidentBefore[i + 1] = keptResidentBefore[i]! + (resident & kept[firstPage + i]!);
  }
  const whole = area.kind === 'slab' || area.kind === 'chunk';
  if (whole) {
    if (list.length <= GROUP_BLOCKS_MAX) found.push(candidate(0, list.length - 1, area.start, area.end, true));
    return;
  }
  for (let count = 1; count <= Math.min(GROUP_BLOCKS_MAX, list.length); count++) {
    // Every single block and pair; of longer windows those that end at a hole.
    for (let first = 0; first + count <= list.length; first++) {
      const last = first + count - 1;
      const atEnd = last === list.length - 1;
      if (count > 2 && !atEnd && keptAfter[last]! - endOf(list[last]!) < PAGE_BYTES) continue;
      const c = candidate(first, last, keptBefore[first]!, keptAfter[last]!, atEnd);
      if (c.gain >= PAGE_BYTES) found.push(c);
    }
  }

  function candidate(first: number, last: number, hullStart: number, hullEnd: number, atEnd: boolean): Candidate {
    let own = 0;
    for (let i = first; i <= last; i++) own += list[i]!.usableBytes;
    const sums = atEnd ? residentBefore : keptResidentBefore;
    const start = Math.ceil(hullStart / PAGE_BYTES) - firstPage;
    const end = (atEnd ? Math.ceil(hullEnd / PAGE_BYTES) : Math.floor(hullEnd / PAGE_BYTES)) - firstPage;
    const gain = end > start ? (sums[end]! - sums[start]!) * PAGE_BYTES : 0;
    return { list, first, last, own, gain, weight: gain / Math.sqrt(last - first + 1) };
  }
}

/** Free memory on a page that cannot go, and which blocks keep it there. */
export interface HeldPage {
  readonly address: number;
  readonly freeBytes: Bytes;
  /** Events that allocated the blocks; none where only the allocator's own structures keep the page. */
  readonly events: readonly number[];
  /** A cached block is among what keeps it. */
  readonly cached?: true;
}

/** Every resident page with free bytes on it that something keeps, by address. */
export function heldPages(
  assembled: Assembled,
  ranges: Ranges,
  blocks: readonly LiveBlock[],
  kept: Uint8Array,
): HeldPage[] {
  const { pages } = assembled.machine.kernel;
  const freeBytes = new Int32Array(pages.length);
  for (let i = 0; i < ranges.length; i++) {
    if (!isFreeRange(ranges.kind[i])) continue;
    const [start, end] = [ranges.start[i]!, ranges.end[i]!];
    const firstPage = Math.floor(start / PAGE_BYTES);
    const lastPage = Math.floor((end - 1) / PAGE_BYTES);
    // The inner pages of a long range hold nothing but it.
    freeBytes[firstPage]! += Math.min(end, (firstPage + 1) * PAGE_BYTES) - start;
    if (lastPage > firstPage) freeBytes[lastPage]! += end - lastPage * PAGE_BYTES;
  }
  interface Held extends HeldPage {
    readonly events: number[];
    cached?: true;
  }
  const held = new Map<number, Held>();
  for (let i = 0; i < ranges.length; i++) {
    const [start, end] = [ranges.start[i]!, ranges.end[i]!];
    if (end === start) continue;
    const firstPage = Math.floor(start / PAGE_BYTES);
    const lastPage = Math.floor((end - 1) / PAGE_BYTES);
    note(i, firstPage);
    if (lastPage > firstPage) note(i, lastPage);
  }
  return [...held.values()];

  function note(i: number, page: number): void {
    if (freeBytes[page] === 0 || !isResident(pages, page) || kept[page] !== 1) return;
    let entry = held.get(page);
    if (!entry) {
      entry = { address: realAddress(page * PAGE_BYTES), freeBytes: freeBytes[page]!, events: [] };
      held.set(page, entry);
    }
    if (ranges.kind[i] === RANGE_LIVE) entry.events.push(blocks[ranges.block[i]!]!.event);
    else if (ranges.kind[i] === RANGE_CACHED) entry.cached = true;
  }
}

const endOf = (block: LiveBlock): number => block.address + block.usableBytes;
