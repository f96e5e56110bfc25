import {
  type Handle,
  RANGE_CACHED,
  RANGE_FREE_WITHIN,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeKind,
} from '../../../sim/contract/allocator.ts';
import { type Addr, type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import { forEachLive } from '../../../sim/replay/objects.ts';
import { isResident } from '../../run/areas.ts';
import type { Assembled } from '../../run/machine.ts';
import { CLASSES } from '../names.ts';

const classIndex = (key: string) => CLASSES.findIndex((c) => c.key === key);
const REQUESTED = classIndex('requested');
const SLACK = classIndex('slack');
const METADATA = classIndex('metadata');
const CACHED = classIndex('cached');
const PINNED = classIndex('pinned');
const WITHIN_SLABS = classIndex('withinSlabs');
const RETURNABLE = classIndex('returnable');

/** As if something else lay on each page; the rest is seen when all is known. */
function classOf(kind: RangeKind): number {
  if (kind === RANGE_METADATA) return METADATA;
  if (kind === RANGE_CACHED) return CACHED;
  return kind === RANGE_FREE_WITHIN ? WITHIN_SLABS : PINNED;
}

export interface LiveBlock {
  readonly slot: number;
  readonly handle: Handle;
  readonly address: Addr;
  readonly usableBytes: Bytes;
  readonly requestedBytes: Bytes;
}

/** Every resident page with what lies on it; the classes of all pages add up to the breakdown of a sample. */
export interface ResidentPages {
  /** Ascending. */
  readonly page: Int32Array;
  /** By class, in the order of CLASSES: bytes of each page. */
  readonly bytes: readonly Uint16Array[];
  /** Live blocks that have a byte on the page. */
  readonly live: Int32Array;
  /** In address order. */
  readonly blocks: readonly LiveBlock[];
  /** By block: free bytes of the pages that no other block lies on. */
  readonly pinsBytes: Float64Array;
  /** What is free or cached and resident, in address order. */
  readonly free: readonly FreeRange[];
}

export interface FreeRange {
  readonly start: Addr;
  readonly end: Addr;
  readonly residentBytes: Bytes;
}

export function readResidentPages(assembled: Assembled): ResidentPages {
  const { top, objects } = assembled;
  const page = residentPageNumbers(assembled);
  const bytes = CLASSES.map(() => new Uint16Array(page.length));
  const live = new Int32Array(page.length);

  const blocks: LiveBlock[] = [];
  forEachLive(objects, (slot, handle: Handle, requestedBytes) => {
    const [address, usableBytes] = [top.addressOf(handle), top.usableSize(handle)];
    blocks.push({ slot, handle, address, usableBytes, requestedBytes });
  });
  blocks.sort((x, y) => x.address - y.address);

  /** Adds the resident part of [start, end) to a class; a block is counted on each page that it touches. */
  const add = (start: Addr, end: Addr, into: Uint16Array): Bytes => {
    let sum = 0;
    if (end <= start) return sum;
    const last = Math.floor((end - 1) / PAGE_BYTES);
    for (let i = firstFrom(page, Math.floor(start / PAGE_BYTES)); i < page.length && page[i]! <= last; i++) {
      const there = Math.min(end, (page[i]! + 1) * PAGE_BYTES) - Math.max(start, page[i]! * PAGE_BYTES);
      into[i]! += there;
      sum += there;
    }
    return sum;
  };
  const pagesOf = ({ address, usableBytes }: LiveBlock, visit: (index: number) => void) => {
    const last = Math.floor((address + Math.max(1, usableBytes) - 1) / PAGE_BYTES);
    for (let i = firstFrom(page, Math.floor(address / PAGE_BYTES)); i < page.length && page[i]! <= last; i++) visit(i);
  };
  for (const b of blocks) {
    const middle = b.address + Math.min(b.requestedBytes, b.usableBytes);
    add(b.address, middle, bytes[REQUESTED]!);
    add(middle, b.address + b.usableBytes, bytes[SLACK]!);
    pagesOf(b, (i) => live[i]!++);
  }
  const free: FreeRange[] = [];
  top.walk((start, length, kind) => {
    if (kind === RANGE_LIVE) return;
    const into = bytes[classOf(kind)]!;
    const residentBytes = add(start, start + length, into);
    if (kind !== RANGE_METADATA && residentBytes > 0) free.push({ start, end: start + length, residentBytes });
  });
  free.sort((x, y) => x.start - y.start);
  for (let i = 0; i < page.length; i++) {
    if (live[i] !== 0 || bytes[METADATA]![i] !== 0 || bytes[CACHED]![i] !== 0) {
      bytes[PINNED]![i]! += bytes[WITHIN_SLABS]![i]!;
      bytes[WITHIN_SLABS]![i] = 0;
      continue;
    }
    bytes[RETURNABLE]![i] = bytes[PINNED]![i]!;
    bytes[PINNED]![i] = 0;
  }
  const pinsBytes = Float64Array.from(blocks, (b) => {
    let pins = 0;
    pagesOf(b, (i) => {
      if (live[i] === 1) pins += bytes[PINNED]![i]!;
    });
    return pins;
  });
  return { page, bytes, live, blocks, pinsBytes, free };
}

function residentPageNumbers({ machine }: Assembled): Int32Array {
  const { vmas, pages, residency } = machine.kernel;
  const numbers = new Int32Array(residency.residentPages());
  let n = 0;
  for (let index = 0; index < vmas.count(); index++) {
    for (let p = vmas.start(index); p < vmas.end(index); p++) if (isResident(pages, p)) numbers[n++] = p;
  }
  return numbers.subarray(0, n).sort();
}

/** Index of the first entry of an ascending column that is not below `value`. */
export function firstFrom(column: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
