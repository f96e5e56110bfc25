import {
  type Allocator,
  type AllocatorStats,
  RANGE_CACHED,
  RANGE_FREE,
  RANGE_METADATA,
} from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import { type Addr, type Bytes, type Ns, PAGE_BYTES, type Page } from '../contract/units.ts';
import { type Kernel, SYSCALLS, type Syscall } from '../kernel/kernel.ts';
import { PAGE_LIMIT } from '../kernel/layout.ts';
import { LAZILY_FREED, RESIDENT } from '../kernel/residency.ts';
import { forEachLive, type ObjectTable } from '../replay/objects.ts';

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
  const measured = { all: 0, kept: 0 };
  const { pages } = kernel;
  const isResident = (page: number) => pages[page] === RESIDENT || pages[page] === LAZILY_FREED;

  /**
   * Resident bytes of [start, end) by what else lies on their pages: all of them, and those on kept pages. With `keep`
   * the pages are marked as kept first. Only the ends of a range need arithmetic in bytes.
   */
  function measure(start: Addr, end: Addr, keep: boolean): void {
    measured.all = 0;
    measured.kept = 0;
    if (end <= start) return;
    const first = Math.floor(start / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    if (first === last) {
      measurePage(first, end - start, keep);
      return;
    }
    measurePage(first, (first + 1) * PAGE_BYTES - start, keep);
    measurePage(last, end - last * PAGE_BYTES, keep);
    let resident = 0;
    let kept = 0;
    for (let page = first + 1; page < last; page++) {
      if (!isResident(page)) continue;
      resident++;
      if (keep) scratch[page] = KEPT;
      else kept += scratch[page]!;
    }
    measured.all += resident * PAGE_BYTES;
    measured.kept += kept * PAGE_BYTES;
  }

  function measurePage(page: Page, bytes: Bytes, keep: boolean): void {
    if (!isResident(page)) return;
    if (keep) scratch[page] = KEPT;
    measured.all += bytes;
    if (scratch[page] === KEPT) measured.kept += bytes;
  }

  /** Resident bytes of [start, end); marks their pages as kept. */
  function keep(start: Addr, end: Addr): Bytes {
    measure(start, end, true);
    return measured.all;
  }

  function forgetKept(): void {
    const { vmas } = kernel;
    for (let i = 0; i < vmas.count(); i++) scratch.fill(0, vmas.start(i), vmas.end(i));
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
      measure(free[i]!, free[i + 1]!, false);
      resident.pinned += measured.kept;
      resident.returnable += measured.all - measured.kept;
    }
    forgetKept();
    const rssBytes = kernel.residency.residentPages() * PAGE_BYTES;
    const classed = Object.values(resident).reduce((sum, bytes) => sum + bytes, 0);
    assert(classed === rssBytes, `the classes of the breakdown hold ${classed} of ${rssBytes} resident bytes`);

    return {
      label,
      event,
      virtualNs: kernel.nowNs() - kernel.startNs,
      rssBytes,
      vszBytes: kernel.mappedPages() * PAGE_BYTES,
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
