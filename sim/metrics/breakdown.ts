import type { Bytes } from '../contract/units.ts';

/**
 * Every resident byte in exactly one class; the classes add up to `rssBytes`.
 *
 *   requested   the program asked for it, in live blocks
 *   slack       usable but not requested, in live blocks
 *   metadata    headers and structures of the allocator
 *   cached      free, in a cache of a thread
 *   pinned      free, on a page that something of the above keeps
 *   returnable  free, on a page that holds nothing else
 */
export interface Breakdown {
  readonly requested: Bytes;
  readonly slack: Bytes;
  readonly metadata: Bytes;
  readonly cached: Bytes;
  readonly pinned: Bytes;
  readonly returnable: Bytes;
}

/** What lives and what is free at one moment, in the address space and of what is resident. */
export interface MeasuredBreakdown {
  readonly requestedBytes: Bytes;
  readonly usableBytes: Bytes;
  readonly liveBlocks: number;
  readonly freeBytes: Bytes;
  /** Of one free range. */
  readonly largestFreeBytes: Bytes;
  readonly resident: Breakdown;
  /** Of `returnable`: in slabs and chunks that hold something else, on pages that hold nothing. */
  readonly withinSlabsBytes: Bytes;
}

/** The sum of the classes: must be `rssBytes`. */
export function breakdownBytes(b: Breakdown): Bytes {
  return b.requested + b.slack + b.metadata + b.cached + b.pinned + b.returnable;
}
