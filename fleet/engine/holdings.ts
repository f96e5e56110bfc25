import { RANGE_CACHED, RANGE_FREE, RANGE_LIVE } from '../../sim/contract/allocator.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { RESIDENT } from '../../sim/kernel/residency.ts';
import type { WorkerHeap } from './worker-heap.ts';

/** Where the memory of one heap is, layer by layer. Resident bytes but for `liveBytes`. */
export interface Holdings {
  /** The break: glibc's main arena. */
  readonly mainHeapBytes: Bytes;
  /** glibc's other arenas, and how many heaps of 64 MiB they have reserved. */
  readonly arenaBytes: Bytes;
  readonly arenaHeaps: number;
  /** Zend's chunks, those that it keeps for the next request among them. */
  readonly zendBytes: Bytes;
  readonly zendCachedChunks: number;
  /** Blocks with a mapping of their own, and jemalloc's extents. */
  readonly mappedBytes: Bytes;
  readonly extentBytes: Bytes;
  readonly otherBytes: Bytes;
  /** In live blocks, usable. */
  readonly liveBytes: Bytes;
  /** Free and resident. */
  readonly freeBytes: Bytes;
  /** Free and resident, all of it on pages that nothing else needs. */
  readonly returnableBytes: Bytes;
  /** Thresholds as they are now, under the allocator's own names. */
  readonly tunables: Readonly<Record<string, number>>;
}

/** What the heap holds now. */
export function holdingsOf(heap: WorkerHeap): Holdings {
  heap.settle();
  const { kernel } = heap.machine;
  const sums = { mainHeapBytes: 0, arenaBytes: 0, zendBytes: 0, mappedBytes: 0, extentBytes: 0 };
  let arenaHeaps = 0;
  let zendCachedChunks = 0;
  heap.top.areas?.((start, length, name, kind) => {
    const resident = kernel.residency.residentIn(Math.floor(start / 4096), Math.ceil((start + length) / 4096)) * 4096;
    if (kind === 'heap' && name.startsWith('main')) sums.mainHeapBytes += resident;
    else if (kind === 'heap') {
      sums.arenaBytes += resident;
      arenaHeaps++;
    } else if (kind === 'chunk') {
      sums.zendBytes += resident;
      if (name.includes('cached')) zendCachedChunks++;
    } else if (kind === 'mapped') sums.mappedBytes += resident;
    else sums.extentBytes += resident;
  });
  const known = Object.values(sums).reduce((sum, bytes) => sum + bytes, 0);
  return {
    ...sums,
    arenaHeaps,
    zendCachedChunks,
    otherBytes: Math.max(0, kernel.residency.residentPages() * 4096 - known),
    ...usesOf(heap),
    tunables: { ...heap.top.tunables?.() },
  };
}

function usesOf(heap: WorkerHeap): Pick<Holdings, 'liveBytes' | 'freeBytes' | 'returnableBytes'> {
  const { pages } = heap.machine.kernel;
  let liveBytes = 0;
  let freeBytes = 0;
  let returnableBytes = 0;
  heap.top.walk((start, length, kind) => {
    if (kind === RANGE_LIVE) liveBytes += length;
    if (kind !== RANGE_FREE && kind !== RANGE_CACHED) return;
    const first = Math.floor(start / 4096);
    const last = Math.floor((start + length - 1) / 4096);
    for (let page = first; page <= last; page++) {
      if (pages[page] !== RESIDENT) continue;
      const within = Math.min(start + length, (page + 1) * 4096) - Math.max(start, page * 4096);
      freeBytes += within;
      if (within === 4096) returnableBytes += within;
    }
  });
  return { liveBytes, freeBytes, returnableBytes };
}
