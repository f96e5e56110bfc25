import { assert } from '../../sim/contract/assert.ts';

/** Flags of a frame, `PG_*` of the kernel where it has them. */
export const PG_LRU = 1;
export const PG_ACTIVE = 2;
export const PG_UNEVICTABLE = 4;
export const PG_REFERENCED = 8;
export const PG_DIRTY = 16;
/** Reclaim after writeback; the same bit as readahead, which is why fault-around skips it. */
export const PG_RECLAIM = 32;
export const PG_SWAPBACKED = 64;
export const PG_MLOCKED = 128;
export const PG_WRITEBACK = 256;
export const PG_ANON = 512;
/** PageAnonExclusive: no other process can map it, a write may reuse it without looking. */
export const PG_EXCLUSIVE = 1024;
export const PG_WORKINGSET = 2048;
/** First frame of a huge page; the others are PG_TAIL. */
export const PG_HEAD = 4096;
export const PG_TAIL = 8192;
/** On the list of huge pages that wait to be split. */
export const PG_DEFERRED = 16384;
export const PG_SWAPCACHE = 32768;

export const LRU_INACTIVE_ANON = 0;
export const LRU_ACTIVE_ANON = 1;
export const LRU_INACTIVE_FILE = 2;
export const LRU_ACTIVE_FILE = 3;
export const LRU_UNEVICTABLE = 4;
export const NR_LRU_LISTS = 5;
/** Generations of the multi-generational LRU, each of anonymous memory and of files, by zone. */
export const MAX_NR_GENS = 4;
const ANON_AND_FILE = 2;

export const HPAGE_PMD_NR = 512;
const BLOCK_SHIFT = 9;
/** The frame that stands for the page of zeros; never allocated, never counted. */
export const ZERO_FRAME = 0;
/** Groups that may have lists of their own. */
export const MAX_LRUVECS = 2048;

/** A zone's frames, [start, end), and what of them is free. */
export interface ZoneFrames {
  readonly start: number;
  readonly end: number;
  free: number;
  /** Of those that are not: the kernel's own since the start, which have no frame. */
  kernelPages: number;
  /** First block never used yet. */
  fresh: number;
  /** First block of the list of blocks with free single frames, or -1. */
  partial: number;
  readonly freeBlocks: number[];
}

/**
 * All frames of a machine, in parallel arrays. Blocks of 512 frames are the unit of huge pages; a block is whole and
 * free, one huge page, or broken into single frames.
 *
 *     flags mapcount owner index next prev group        22 bytes a frame, committed when first written
 *     lruGen lruRefs                                    2 more where pages have generations
 *
 * `owner` and `index` name the page: of an anonymous one the anon_vma and its linear index, otherwise the object and its offset.
 */
export class Frames {
  readonly total: number;
  readonly flags: Uint16Array;
  readonly mapcount: Int32Array;
  readonly owner: Int32Array;
  readonly index: Float64Array;
  readonly next: Int32Array;
  readonly prev: Int32Array;
  readonly group: Uint16Array;
  /** LRU_GEN_MASK and LRU_REFS_MASK of the flags: its generation and one more (0: on no list of one), and further uses by descriptor. */
  readonly lruGen: Uint8Array;
  readonly lruRefs: Uint8Array;
  /** Mappings of a block as one huge page. */
  readonly compoundMapcount: Int32Array;
  private readonly blockFree: Int32Array;
  private readonly blockUsed: Uint16Array;
  private readonly blockNext: Int32Array;
  private readonly blockPrev: Int32Array;
  readonly zones: ZoneFrames[] = [];
  readonly listSize: Float64Array;
  /** Counts changes of the number of mappings of pages that have, or had, several: while it stands still, what is shared is. */
  sharing = 0;
  private readonly listsPerLruvec: number;

  constructor(zonePages: readonly number[], generations = false) {
    const total = zonePages.reduce((sum, pages) => sum + pages, 1);
    this.total = total;
    this.listsPerLruvec = NR_LRU_LISTS + (generations ? MAX_NR_GENS * ANON_AND_FILE * zonePages.length : 0);
    const linked = total + MAX_LRUVECS * this.listsPerLruvec;
    this.flags = new Uint16Array(total);
    this.mapcount = new Int32Array(total);
    this.owner = new Int32Array(total);
    this.index = new Float64Array(total);
    this.next = new Int32Array(linked);
    this.prev = new Int32Array(linked);
    this.group = new Uint16Array(total);
    this.lruGen = new Uint8Array(generations ? total : 0);
    this.lruRefs = new Uint8Array(generations ? total : 0);
    const blocks = (total >> BLOCK_SHIFT) + 1;
    this.compoundMapcount = new Int32Array(blocks);
    this.blockFree = new Int32Array(blocks);
    this.blockUsed = new Uint16Array(blocks);
    this.blockNext = new Int32Array(blocks);
    this.blockPrev = new Int32Array(blocks);
    this.listSize = new Float64Array(MAX_LRUVECS * NR_LRU_LISTS);
    for (let list = total; list < linked; list++) {
      this.next[list] = list;
      this.prev[list] = list;
    }
    let start = 1;
    for (const pages of zonePages) {
      this.zones.push({
        start,
        end: start + pages,
        free: pages,
        kernelPages: 0,
        fresh: start >> BLOCK_SHIFT,
        partial: -1,
        freeBlocks: [],
      });
      start += pages;
    }
  }

  zoneOf(frame: number): number {
    let zone = 0;
    while (frame >= this.zones[zone]!.end) zone++;
    return zone;
  }

  /** A single frame of the zone, or -1. */
  takeFrame(zoneIndex: number): number {
    const zone = this.zones[zoneIndex]!;
    if (zone.partial < 0 && !this.breakBlock(zone)) return -1;
    const block = zone.partial;
    const frame = this.blockFree[block]!;
    const following = this.next[frame]!;
    this.blockFree[block] = following;
    this.blockUsed[block]!++;
    if (following === 0) this.unlinkBlock(zone, block);
    zone.free--;
    return frame;
  }

  /** A block of 512 frames that may become a huge page: its first frame, or -1. */
  takeBlock(zoneIndex: number): number {
    const zone = this.zones[zoneIndex]!;
    const block = zone.freeBlocks.pop() ?? this.freshBlock(zone, true);
    if (block < 0) return -1;
    this.blockUsed[block] = HPAGE_PMD_NR;
    this.blockFree[block] = 0;
    zone.free -= HPAGE_PMD_NR;
    return block << BLOCK_SHIFT;
  }

  /** Gives back a single frame, one of a split huge page too. */
  putFrame(frame: number): void {
    const zone = this.zones[this.zoneOf(frame)]!;
    const block = frame >> BLOCK_SHIFT;
    this.flags[frame] = 0;
    this.mapcount[frame] = 0;
    if (this.blockFree[block] === 0) this.linkBlock(zone, block);
    this.next[frame] = this.blockFree[block]!;
    this.blockFree[block] = frame;
    zone.free++;
    if (
      --this.blockUsed[block]! === 0 &&
      block << BLOCK_SHIFT >= zone.start &&
      (block + 1) << BLOCK_SHIFT <= zone.end
    ) {
      this.unlinkBlock(zone, block);
      this.blockFree[block] = 0;
      zone.freeBlocks.push(block);
    }
  }

  /** Gives back a whole huge page. */
  putBlock(head: number): void {
    const zone = this.zones[this.zoneOf(head)]!;
    this.flags.fill(0, head, head + HPAGE_PMD_NR);
    this.mapcount.fill(0, head, head + HPAGE_PMD_NR);
    this.compoundMapcount[head >> BLOCK_SHIFT] = 0;
    this.blockUsed[head >> BLOCK_SHIFT] = 0;
    this.blockFree[head >> BLOCK_SHIFT] = 0;
    zone.free += HPAGE_PMD_NR;
    zone.freeBlocks.push(head >> BLOCK_SHIFT);
  }

  private freshBlock(zone: ZoneFrames, whole: boolean): number {
    while (zone.fresh << BLOCK_SHIFT < zone.end) {
      const block = zone.fresh;
      const first = Math.max(block << BLOCK_SHIFT, zone.start);
      const last = Math.min((block + 1) << BLOCK_SHIFT, zone.end);
      if (whole && last - first < HPAGE_PMD_NR) {
        if (last === zone.end) return -1;
        zone.fresh++;
        this.threadBlock(zone, block, first, last);
        continue;
      }
      zone.fresh++;
      return block;
    }
    return -1;
  }

  private breakBlock(zone: ZoneFrames): boolean {
    const block = zone.freeBlocks.pop() ?? this.freshBlock(zone, false);
    if (block < 0) return false;
    this.threadBlock(
      zone,
      block,
      Math.max(block << BLOCK_SHIFT, zone.start),
      Math.min((block + 1) << BLOCK_SHIFT, zone.end),
    );
    return true;
  }

  private threadBlock(zone: ZoneFrames, block: number, first: number, last: number): void {
    for (let frame = first; frame < last; frame++) this.next[frame] = frame + 1 < last ? frame + 1 : 0;
    this.blockFree[block] = first;
    this.blockUsed[block] = 0;
    this.linkBlock(zone, block);
  }

  private linkBlock(zone: ZoneFrames, block: number): void {
    this.blockNext[block] = zone.partial;
    this.blockPrev[block] = -1;
    if (zone.partial >= 0) this.blockPrev[zone.partial] = block;
    zone.partial = block;
  }

  private unlinkBlock(zone: ZoneFrames, block: number): void {
    const before = this.blockPrev[block]!;
    const after = this.blockNext[block]!;
    if (before >= 0) this.blockNext[before] = after;
    else zone.partial = after;
    if (after >= 0) this.blockPrev[after] = before;
  }

  /** Pages that the frame stands for: 512 for the head of a huge page. */
  sizeOf(frame: number): number {
    return this.flags[frame]! & PG_HEAD ? HPAGE_PMD_NR : 1;
  }

  headOf(frame: number): number {
    return this.flags[frame]! & PG_TAIL ? frame & ~(HPAGE_PMD_NR - 1) : frame;
  }

  /** page_mapcount: how often this very page is mapped, as part of a huge page too. */
  mapcountOf(frame: number): number {
    const own = this.mapcount[frame]!;
    return this.flags[frame]! & (PG_HEAD | PG_TAIL) ? own + this.compoundMapcount[frame >> BLOCK_SHIFT]! : own;
  }

  compoundMapcountOf(head: number): number {
    return this.compoundMapcount[head >> BLOCK_SHIFT]!;
  }

  /** Index of the sentinel of a list. */
  listOf(lruvec: number, lru: number): number {
    return this.total + lruvec * this.listsPerLruvec + lru;
  }

  /** lrugen->folios: the sentinel of a generation's list. */
  genListOf(lruvec: number, gen: number, type: number, zone: number): number {
    return this.listOf(lruvec, NR_LRU_LISTS + (gen * ANON_AND_FILE + type) * this.zones.length + zone);
  }

  /** list_add_tail: right before a frame or a sentinel. */
  linkBefore(frame: number, after: number): void {
    const before = this.prev[after]!;
    this.prev[frame] = before;
    this.next[frame] = after;
    this.next[before] = frame;
    this.prev[after] = frame;
  }

  /** list_add. */
  linkAfter(frame: number, before: number): void {
    this.linkBefore(frame, this.next[before]!);
  }

  /** list_del. */
  unlink(frame: number): void {
    const before = this.prev[frame]!;
    const after = this.next[frame]!;
    this.next[before] = after;
    this.prev[after] = before;
  }

  /** update_lru_size: what the list is said to hold, of which those of generations have no frame on it. */
  updateLruSize(lruvec: number, lru: number, pages: number): void {
    this.listSize[lruvec * NR_LRU_LISTS + lru]! += pages;
  }

  addToList(frame: number, lruvec: number, lru: number, tail = false): void {
    const list = this.listOf(lruvec, lru);
    if (tail) this.linkBefore(frame, list);
    else this.linkAfter(frame, list);
    this.updateLruSize(lruvec, lru, this.sizeOf(frame));
  }

  removeFromList(frame: number, lruvec: number, lru: number): void {
    this.unlink(frame);
    this.updateLruSize(lruvec, lru, -this.sizeOf(frame));
  }

  /** The last frame of a list, by its sentinel, or -1. */
  lastOf(list: number): number {
    const frame = this.prev[list]!;
    return frame === list ? -1 : frame;
  }

  /** The last frame of a list, or -1. */
  tailOf(lruvec: number, lru: number): number {
    return this.lastOf(this.listOf(lruvec, lru));
  }

  sizeOfList(lruvec: number, lru: number): number {
    return this.listSize[lruvec * NR_LRU_LISTS + lru]!;
  }

  /** Which list a frame on one is on. */
  lruOf(frame: number): number {
    const flags = this.flags[frame]!;
    if (flags & PG_UNEVICTABLE) return LRU_UNEVICTABLE;
    return (flags & PG_SWAPBACKED ? 0 : 2) + (flags & PG_ACTIVE ? 1 : 0);
  }

  freePages(): number {
    return this.zones.reduce((sum, zone) => sum + zone.free, 0);
  }

  /** A block that was one huge page becomes single frames, all in use. */
  splitBlock(head: number): void {
    const block = head >> BLOCK_SHIFT;
    assert((this.flags[head]! & PG_HEAD) !== 0, 'only a huge page is split');
    const whole = this.compoundMapcount[block]!;
    for (let frame = head; frame < head + HPAGE_PMD_NR; frame++) {
      this.flags[frame]! &= ~(PG_HEAD | PG_TAIL | PG_DEFERRED);
      this.mapcount[frame]! += whole;
    }
    this.compoundMapcount[block] = 0;
    this.blockUsed[block] = HPAGE_PMD_NR;
    this.blockFree[block] = 0;
  }
}
