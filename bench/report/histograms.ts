import {
  type EventBuffer,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../sim/event.ts';

/** Bar i counts what lies in [2^i, 2^(i+1)); bar 0 also 0. */
export interface Histograms {
  /** Allocations by requested bytes. */
  readonly sizes: readonly number[];
  /** … and the bytes that they asked for. */
  readonly sizeBytes: readonly number[];
  /** Blocks that were freed, by the events that they lived. */
  readonly lifetimeEvents: readonly number[];
  /** … by nanoseconds of the trace's clock; empty where the clock stands still. */
  readonly lifetimeNs: readonly number[];
  /** Blocks that nobody freed. */
  readonly neverFreed: number;
}

/** Sizes and lifetimes of a workload: they are the same under every allocator. A realloc is a new size of an old block. */
export function histogramsOf(events: EventBuffer): Histograms {
  const { head, slot, a, b, requestFrees } = events;
  const sizes: number[] = [];
  const sizeBytes: number[] = [];
  const lifetimeEvents: number[] = [];
  const lifetimeNs: number[] = [];
  const bornAt = new Float64Array(events.objectSlots).fill(-1);
  const bornNs = new Float64Array(events.objectSlots);
  let now = 0;
  const allocated = (row: number, size: number) => {
    add(sizes, size, 1);
    add(sizeBytes, size, size);
    const s = slot[row]!;
    if (bornAt[s]! < 0) {
      bornAt[s] = row;
      bornNs[s] = now;
    }
  };
  const freed = (row: number, s: number) => {
    if (bornAt[s]! < 0) return;
    add(lifetimeEvents, row - bornAt[s]!, 1);
    add(lifetimeNs, now - bornNs[s]!, 1);
    bornAt[s] = -1;
  };
  for (let row = 0; row < events.length; row++) {
    switch (head[row]! & OP_MASK) {
      case OP_MALLOC:
      case OP_EMALLOC:
        allocated(row, a[row]!);
        break;
      case OP_CALLOC:
      case OP_ECALLOC:
        allocated(row, a[row]! * b[row]!);
        break;
      case OP_MEMALIGN:
        allocated(row, b[row]!);
        break;
      case OP_REALLOC:
      case OP_EREALLOC:
        if (a[row] === 0) freed(row, slot[row]!);
        else allocated(row, a[row]!);
        break;
      case OP_FREE:
      case OP_EFREE:
        freed(row, slot[row]!);
        break;
      case OP_REQUEST_END:
        for (let i = 0; i < b[row]!; i++) freed(row, requestFrees[a[row]! + i]!);
        break;
      case OP_CLOCK:
        now += b[row]! * 2 ** 32 + a[row]!;
        break;
    }
  }
  let neverFreed = 0;
  for (const row of bornAt) if (row >= 0) neverFreed++;
  return {
    sizes: filled(sizes),
    sizeBytes: filled(sizeBytes),
    lifetimeEvents: filled(lifetimeEvents),
    lifetimeNs: now > 0 ? filled(lifetimeNs) : [],
    neverFreed,
  };
}

function add(bars: number[], value: number, weight: number): void {
  const bar = value < 1 ? 0 : Math.floor(Math.log2(value));
  bars[bar] = (bars[bar] ?? 0) + weight;
}

const filled = (bars: number[]): number[] => Array.from(bars, (n) => n ?? 0);
