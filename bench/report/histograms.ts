import type { EventBuffer } from '../../sim/contract/event.ts';
import { visitObjects } from '../run/object-events.ts';

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
  const sizes: number[] = [];
  const sizeBytes: number[] = [];
  const lifetimeEvents: number[] = [];
  const lifetimeNs: number[] = [];
  const bornAt = new Float64Array(events.objectSlots).fill(-1);
  const bornNs = new Float64Array(events.objectSlots);
  let now = 0;
  visitObjects(events, events.length, {
    sized(row, slot, size) {
      add(sizes, size, 1);
      add(sizeBytes, size, size);
      if (bornAt[slot]! >= 0) return;
      bornAt[slot] = row;
      bornNs[slot] = now;
    },
    freed(row, slot) {
      if (bornAt[slot]! < 0) return;
      add(lifetimeEvents, row - bornAt[slot]!, 1);
      add(lifetimeNs, now - bornNs[slot]!, 1);
      bornAt[slot] = -1;
    },
    advanced(ns) {
      now += ns;
    },
  });
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
