import type { Allocator, AllocatorStats } from '../contract/allocator.ts';
import { type Bytes, type Ns, PAGE_BYTES } from '../contract/units.ts';
import { SYSCALLS, type Syscall } from '../kernel/kernel.ts';
import type { Machine } from '../kernel/machine.ts';
import type { ObjectTable } from '../replay/objects.ts';
import type { Breakdown } from './breakdown.ts';
import { createFollowingBreakdown } from './following-breakdown.ts';
import { createWalkingBreakdown } from './walking-breakdown.ts';

export type { Breakdown } from './breakdown.ts';

export interface Sample {
  readonly label: string;
  /** Event index of the sample point; the number of events for the one at the end. */
  readonly event: number;
  readonly virtualNs: Ns;
  readonly rssBytes: Bytes;
  readonly vszBytes: Bytes;
  readonly requestedBytes: Bytes;
  readonly usableBytes: Bytes;
  readonly liveBlocks: number;
  readonly breakdown: Breakdown;
  /** Of `returnable`: whole pages of slabs (jemalloc) and chunks (Zend) that hold something else: nothing gives them back before. */
  readonly withinSlabsBytes: Bytes;
  /** 1 - requested / usable over live blocks; 0 where nothing is live. */
  readonly internalFragmentation: number;
  /** 1 - largest free block / free bytes; 0 where nothing is free. */
  readonly externalFragmentation: number;
  readonly faults: number;
  readonly hugeFaults: number;
  readonly syscalls: Readonly<Record<Syscall, number>>;
  readonly stats: AllocatorStats;
}

/**
 * Takes samples of one machine. The first one walks everything, and so does the last one (`walksAll`), which checks that the classes are all
 * there is; those between follow what has changed, where the model can list what is free (`Allocator.walkFree`).
 * `changed`: object slots among which are all that have changed since the last sample, if that is known.
 */
export function createSampler(machine: Machine, allocator: Allocator, objects: ObjectTable) {
  const { kernel } = machine;
  const walking = createWalkingBreakdown(kernel, allocator, objects);
  let following: ReturnType<typeof createFollowingBreakdown> | undefined;
  let taken = 0;

  return function sample(label: string, event: number, walksAll = true, changed?: Int32Array): Sample {
    const isFollowed = !walksAll && taken++ > 0 && allocator.walkFree !== undefined;
    if (isFollowed) following ??= createFollowingBreakdown(machine, allocator, objects);
    const { requestedBytes, usableBytes, liveBlocks, freeBytes, largestFreeBytes, resident, withinSlabsBytes } =
      isFollowed ? following!(changed) : walking();
    return {
      label,
      event,
      virtualNs: kernel.nowNs() - kernel.startNs,
      rssBytes: kernel.residency.residentPages() * PAGE_BYTES,
      vszBytes: kernel.mappedPages() * PAGE_BYTES,
      requestedBytes,
      usableBytes,
      liveBlocks,
      breakdown: resident,
      withinSlabsBytes,
      internalFragmentation: usableBytes === 0 ? 0 : 1 - requestedBytes / usableBytes,
      externalFragmentation: freeBytes === 0 ? 0 : 1 - largestFreeBytes / freeBytes,
      faults: kernel.residency.faults(),
      hugeFaults: kernel.residency.hugeFaults(),
      syscalls: Object.fromEntries(SYSCALLS.map((name) => [name, kernel.syscallCount(name)])) as Record<
        Syscall,
        number
      >,
      stats: allocator.stats(),
    };
  };
}
