import type { AllocatorStats, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import {
  addressOfUnit,
  CACHED_SIZE,
  heapBase,
  PEAK,
  REAL_PEAK,
  REAL_SIZE,
  REQUESTS,
  SEGMENT_ADDRESS,
  SEGMENT_LENGTH,
  SIZE,
  segmentAt,
  UNIT,
  type Zend5State,
} from './layout.ts';
import { heapThreads, segmentsOf } from './walk.ts';

/** One heap's numbers: usage to real_peak as memory_get_usage() and memory_get_peak_usage() return them. */
export function heapStats(state: Zend5State, t: ThreadSlot): AllocatorStats {
  const { heaps, segments, machine } = state;
  const heap = heapBase(t);
  const list = segmentsOf(state, t);
  let mapped = 0;
  let rssPages = 0;
  let resident = 0;
  for (const segment of list) {
    const s = segmentAt(segment);
    const bytes = segments[s + SEGMENT_LENGTH]! * UNIT;
    // As the real one is measured: so many pages as the length has, from the page of the segment's header on.
    const page = Math.floor(addressOfUnit(segments[s + SEGMENT_ADDRESS]!) / 4096);
    mapped += bytes;
    rssPages += machine.kernel.residency.residentIn(page, page + Math.ceil(bytes / 4096));
    resident += residentBytes(machine, addressOfUnit(segments[s + SEGMENT_ADDRESS]!), bytes);
  }
  return {
    thread: t,
    usage: (heaps[heap + SIZE]! - heaps[heap + CACHED_SIZE]!) * UNIT,
    real_usage: heaps[heap + REAL_SIZE]! * UNIT,
    peak: heaps[heap + PEAK]! * UNIT,
    real_peak: heaps[heap + REAL_PEAK]! * UNIT,
    segments: list.length,
    cached: heaps[heap + CACHED_SIZE]! * UNIT,
    mapped,
    rss: rssPages * 4096,
    resident,
    requests: heaps[heap + REQUESTS]!,
  };
}

/** Resident bytes of a range; segments of less than a page share pages with each other and with other blocks. */
function residentBytes(machine: Machine, start: Addr, length: Bytes): Bytes {
  const { residency } = machine.kernel;
  let bytes = 0;
  for (let from = start; from < start + length; ) {
    const page = Math.floor(from / 4096);
    const to = Math.min(start + length, (page + 1) * 4096);
    bytes += residency.residentIn(page, page + 1) * (to - from);
    from = to;
  }
  return bytes;
}

export const allHeapStats = (state: Zend5State): AllocatorStats[] => heapThreads(state).map((t) => heapStats(state, t));
