import { type Allocator, type AllocatorStats, RANGE_CACHED, RANGE_FREE, RANGE_METADATA } from '../allocator.ts';
import { type Kernel, SYSCALLS, type Syscall } from '../kernel/kernel.ts';
import { PAGE_LIMIT } from '../kernel/layout.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';
import { forEachLive, type ObjectTable } from '../replay/objects.ts';
import type { Bytes, Ns } from '../units.ts';

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
  /** 1 - requested / usable over live blocks; 0 where nothing is live. */
  readonly internalFragmentation: number;
  /** 1 - largest free block / free bytes; 0 where nothing is free. */
  readonly externalFragmentation: number;
  readonly faults: number;
  readonly hugeFaults: number;
  readonly syscalls: Readonly<Record<Syscall, number>>;
  readonly stats: AllocatorStats;
}

const KEPT = 1; // scratch: something that is not free lies on this resident page

/** Takes samples of one machine. Its scratch page map costs 8 MiB and is used again from sample to sample. */
export function createSampler(kernel: Kernel, allocator: Allocator, objects: ObjectTable) {
  const scratch = new Uint8Array(PAGE_LIMIT);
  const { pages } = kernel;
  const isResident = (page: number) => pages[page] === RESIDENT || pages[page] === LAZILY_FREED;

  /** Resident bytes of [start, end); marks their pages as kept. */
  function keep(start: number, end: number): Bytes {
    let bytes = 0;
    for (let from = start; from < end; ) {
      const page = Math.floor(from / 4096);
      const to = Math.min(end, (page + 1) * 4096);
      if (isResident(page)) {
        scratch[page] = KEPT;
        bytes += to - from;
      }
      from = to;
    }
    return bytes;
  }

  return function sample(label: string, event: number): Sample {
    const free: number[] = []; // start, end, start, end, …
    let requestedBytes = 0;
    let usableBytes = 0;
    let liveBlocks = 0;
    let freeBytes = 0;
    let largestFree = 0;
    const resident = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };

    forEachLive(objects, (_slot, handle, requested) => {
      const start = allocator.addressOf(handle);
      const usable = allocator.usableSize(handle);
      const middle = start + Math.min(requested, usable);
      requestedBytes += requested;
      usableBytes += usable;
      liveBlocks++;
      resident.requested += keep(start, middle);
      resident.slack += keep(middle, start + usable);
    });
    allocator.walk((start, length, kind) => {
      if (kind === RANGE_METADATA) resident.metadata += keep(start, start + length);
      else if (kind === RANGE_CACHED) resident.cached += keep(start, start + length);
      else if (kind === RANGE_FREE) {
        free.push(start, start + length);
        freeBytes += length;
        if (length > largestFree) largestFree = length;
      }
    });
    for (let i = 0; i < free.length; i += 2) {
      const end = free[i + 1]!;
      for (let from = free[i]!; from < end; ) {
        const page = Math.floor(from / 4096);
        const to = Math.min(end, (page + 1) * 4096);
        if (isResident(page)) {
          if (scratch[page] === KEPT) resident.pinned += to - from;
          else resident.returnable += to - from;
        }
        from = to;
      }
    }
    scratch.fill(0);

    return {
      label,
      event,
      virtualNs: kernel.nowNs() - kernel.startNs,
      rssBytes: kernel.residency.residentPages() * 4096,
      vszBytes: kernel.mappedPages() * 4096,
      requestedBytes,
      usableBytes,
      liveBlocks,
      breakdown: resident,
      internalFragmentation: usableBytes === 0 ? 0 : 1 - requestedBytes / usableBytes,
      externalFragmentation: freeBytes === 0 ? 0 : 1 - largestFree / freeBytes,
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

/** The sum of the classes: must be `rssBytes`. */
export function breakdownBytes(b: Breakdown): Bytes {
  return b.requested + b.slack + b.metadata + b.cached + b.pinned + b.returnable;
}
