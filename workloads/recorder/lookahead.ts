import { createHugePageZeros, type HugePageZeros } from './huge-page-zeros.ts';
import { forEachSpecialRecord, LOG, type LogPart, type LogRecord, pagesIn } from './log.ts';
import { createOwnHugePages } from './own-huge-pages.ts';
import { joined, type PageRun } from './page-runs.ts';
import { createThreadMakers } from './recorded-joins.ts';
import type { RecordedSites } from './recorded-sites.ts';
import { createThreadExits } from './thread-exits.ts';

/**
 * What later records of a log say of earlier ones. Which writes stand behind which record. A page of a big block was written at some moment between two looks at it: it
 * counts as written right after the first of them (the allocation, or a sample), as `%touch full` has it.
 *
 *   watched block   the kernel's word on it was asked for when it was allocated, and had at least once later
 *   pages that were there at its allocation, and could not be filled with a pattern, say nothing: they count as written at once
 *   pages that came later were written; the others never were
 *   what has zeros, in a huge page that came later, was not written, but where the program is seen to write zeros to the block
 */
export interface Lookahead {
  /** Where each thread was last seen. */
  readonly lastOf: ReadonlyMap<number, number>;
  /** The first record of the exit of each thread that does nothing behind it. */
  readonly exitOf: ReadonlyMap<number, number>;
  readonly records: number;
  /** Where the last part, which is the image's own, begins. */
  readonly ownFrom: number;
  /** By the index of an allocating record: the pages that are written right after it. Its block has no other writes. */
  readonly atAllocation: ReadonlyMap<number, readonly PageRun[]>;
  /** By the index of a SAMPLE record: what is written behind it. */
  readonly behindSample: ReadonlyMap<number, readonly BlockWrite[]>;
  /**
   * Bytes of watched blocks of malloc's whose writing is an assumption: their pages were there before, or are huge. PHP's heap
   * keeps its pages, and hands them out again all the time.
   */
  readonly assumedBytes: number;
  /** Bytes of pages of malloc's blocks that hold zeros, in huge pages: taken as not written. */
  readonly zeroBytes: number;
  /** … and on huge pages that the program asks for itself: as written. */
  readonly ownHugeBytes: number;
  /** For which the program has asked for huge pages, all its calls taken together. */
  readonly advisedBytes: number;
  readonly zendCounts: ZendCounts;
  /** As in ThreadMakers. */
  readonly madeAt: ReadonlyMap<number, number>;
}

/** When PHP was asked for its numbers, as in native/ring.h: by its script, when the heap is emptied, when the script is done. */
export const USAGES = ['asked', 'ends', 'done'] as const;
/** How often a log has PHP's numbers. */
export type ZendCounts = Readonly<Record<(typeof USAGES)[number], number>>;

export interface BlockWrite extends PageRun {
  /** As in LogRecord: divided by 8. */
  readonly address: number;
}

interface WatchedBlock {
  readonly allocation: number;
  readonly isOfMalloc: boolean;
  /** A byte a page: it was there at the allocation, or has been placed. */
  known: Uint8Array;
  atAllocation: PageRun[];
  /** Where the next pages that are seen belong: the last look. */
  lastLook: number;
  hasBeenSeen: boolean;
  readonly zeros: HugePageZeros;
  /** It began with zeros: what still has them was not written. */
  readonly isCleared: boolean;
}

/** Blocks beyond this many pages (4 TiB of 4 KiB) are not followed. */
const PAGES_MAX = 2 ** 30;

/** Notes the call sites as well, where there are any. */
export function lookAhead(parts: readonly LogPart[], pageBytes: number, sites: RecordedSites): Lookahead {
  const lastOf = new Map<number, number>();
  const exits = createThreadExits(lastOf);
  let ownFrom = 0;
  let lastThread = -1;
  const watched = new Map<number, WatchedBlock>();
  const atAllocation = new Map<number, readonly PageRun[]>();
  const behindSample = new Map<number, BlockWrite[]>();
  const zendCounts = { asked: 0, ends: 0, done: 0 };
  const makers = createThreadMakers();
  let [assumedPages, zeroPages, ownHugePages] = [0, 0, 0];
  const ownHuge = createOwnHugePages(pageBytes);
  let index = -1;
  let records = 0;
  let lastAllocation = -1;
  /** Blocks that were looked at since the last sample began. */
  let looked = new Set<WatchedBlock>();

  function retire(address: number): void {
    const block = watched.get(address);
    if (!block) return;
    const zeros = block.isCleared ? [] : block.zeros.runs();
    const firstPage = Math.floor((address * 8) / pageBytes);
    const areWritten = zeros.length > 0 && block.zeros.areWritten(firstPage, (page) => block.known[page] === 1);
    for (const { first, count, lastLook } of zeros) {
      const runs = mark(block, first, count);
      // All is resident there under every allocator.
      const isOwn = ownHuge.has({ first: firstPage + first, count });
      if (isOwn && !areWritten) for (const run of runs) ownHugePages += run.count;
      if (areWritten || isOwn) place(block, address, lastLook, runs);
      else if (block.isOfMalloc) for (const run of runs) zeroPages += run.count;
    }
    if (block.hasBeenSeen) atAllocation.set(block.allocation, joined(block.atAllocation));
  }

  /** They were written behind that look. */
  function place(block: WatchedBlock, address: number, lastLook: number, runs: readonly PageRun[]): void {
    if (lastLook === block.allocation) {
      block.atAllocation.push(...runs);
      return;
    }
    const list = behindSample.get(lastLook) ?? [];
    for (const run of runs) list.push({ ...run, address });
    behindSample.set(lastLook, list);
  }

  function mark(block: WatchedBlock, first: number, count: number): PageRun[] {
    if (first + count > PAGES_MAX) return [];
    if (first + count > block.known.length) {
      const grown = new Uint8Array(Math.max(first + count, 2 * block.known.length));
      grown.set(block.known);
      block.known = grown;
    }
    const runs: PageRun[] = [];
    for (let page = first; page < first + count; page++) {
      if (block.known[page] === 1) continue;
      let end = page;
      while (end < first + count && block.known[end] === 0) block.known[end++] = 1;
      runs.push({ first: page, count: end - page });
      page = end;
    }
    return runs;
  }

  function see(r: LogRecord): void {
    const block = watched.get(r.address);
    if (!block) return;
    block.hasBeenSeen = true;
    const { count, isHuge, areZeros } = pagesIn(r.b);
    if (areZeros) {
      block.zeros.see({ first: r.a, count }, block.lastLook);
    } else if (count > 0) {
      const runs = mark(block, r.a, count);
      if (isHuge && block.isOfMalloc) for (const run of runs) assumedPages += run.count;
      place(block, r.address, block.lastLook, runs);
    }
    looked.add(block);
  }

  function visit(r: LogRecord): void {
    index = ownFrom + r.index;
    if (r.lastAllocation >= 0) lastAllocation = ownFrom + r.lastAllocation;
    if (r.thread !== lastThread) {
      lastOf.set(lastThread, index - 1);
      lastThread = r.thread;
      exits.comes(index);
    }
    switch (r.op) {
      case LOG.RESIDENT: {
        const { count, isKnown, areFilled } = pagesIn(r.b);
        if (count === 0) {
          const known = new Uint8Array(32);
          retire(r.address); // the one that lay there before
          watched.set(r.address, {
            allocation: lastAllocation,
            isOfMalloc: r.lastAllocationOp < LOG.EMALLOC,
            known,
            atAllocation: [],
            lastLook: lastAllocation,
            hasBeenSeen: false,
            zeros: createHugePageZeros(),
            isCleared: r.lastAllocationOp === LOG.CALLOC || r.lastAllocationOp === LOG.ECALLOC,
          });
          return;
        }
        const block = watched.get(r.address);
        if (!block) return;
        if (areFilled) {
          block.zeros.fill({ first: r.a, count });
          return;
        }
        block.atAllocation.push(...mark(block, r.a, count));
        if (block.isOfMalloc && !isKnown) assumedPages += r.a === 0 ? count - 1 : count; // its first page has the allocator's header, and would be there
        return;
      }
      case LOG.WRITTEN:
      case LOG.SEEN:
        see(r);
        return;
      case LOG.ADVISED:
        ownHuge.advises(r);
        return;
      case LOG.MAPPED:
        ownHuge.maps(r);
        return;
      case LOG.UNMAPPED:
        ownHuge.unmaps(r);
        return;
      case LOG.CREATES:
        makers.creates(r, index);
        return;
      case LOG.CREATED:
        makers.created(r);
        return;
      case LOG.THREAD:
        makers.begins(r, index);
        return;
      case LOG.THREAD_EXIT:
        exits.exits(r.thread, index);
        return;
      case LOG.SAMPLE:
        for (const block of looked) block.lastLook = index;
        looked = new Set();
        return;
      case LOG.ZEND_USAGE:
        if (r.address < USAGES.length) zendCounts[USAGES[r.address]!]++;
        return;
      case LOG.NODE:
        sites.node(r);
        return;
      case LOG.MODULE:
        sites.module(r);
        return;
      case LOG.PLACE:
        sites.place(r);
    }
  }

  for (const part of parts) {
    ownFrom = records;
    sites.beginPart(part.ownPid);
    records += forEachSpecialRecord(part, visit);
  }
  lastOf.set(lastThread, records - 1);
  for (const address of watched.keys()) retire(address);
  return {
    lastOf,
    exitOf: exits.found(),
    records,
    ownFrom,
    atAllocation,
    behindSample,
    assumedBytes: assumedPages * pageBytes,
    zeroBytes: zeroPages * pageBytes,
    ownHugeBytes: ownHugePages * pageBytes,
    advisedBytes: ownHuge.bytes(),
    zendCounts,
    madeAt: makers.madeAt,
  };
}
