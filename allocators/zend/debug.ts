import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { BIN_ELEMENTS, BIN_SIZE } from './bins.ts';
import {
  addressOf,
  BIN_MASK,
  CELL_MASK,
  HUGE_LIST,
  handleOf,
  heapBase,
  IS_SRUN,
  LRUN_PAGES_MASK,
  NODE_BLOCK,
  NODE_NEXT,
  OFFSET_MASK,
  PAGE_CELL_SHIFT,
  type ZendState,
} from './layout.ts';
import { chunksOf, FREE_RUN, forEachRun, LARGE_RUN } from './walk.ts';

/** sizeof(zend_mm_debug_info): requested size, file and line of the call; at the end of each small or large block. */
export const DEBUG_INFO_BYTES = 32;
const DEBUG_INFO_CELLS = DEBUG_INFO_BYTES / 8;
/** A huge block's information is in its list node, behind the node's own fields. */
const NODE_DEBUG_SIZE = 3;
/** Lines that the reports of one run may have. */
const NAMED_LEAKS = 1000;

export interface Leak {
  readonly address: number;
  readonly size: Bytes;
}

/** What a debug build adds: the requested size in each block, and the report of what a request has not freed. */
export function createDebug(state: ZendState) {
  const { map, cells, heaps, machine } = state;

  /** The cell that holds a block's requested size: of its own, or of its node. */
  function sizeCell(t: ThreadSlot, h: Handle): number {
    if ((h & OFFSET_MASK) === 0) {
      let node = heaps[heapBase(t) + HUGE_LIST]!;
      while (cells[(node & CELL_MASK) + NODE_BLOCK] !== h) node = cells[(node & CELL_MASK) + NODE_NEXT]!;
      return (node & CELL_MASK) + NODE_DEBUG_SIZE;
    }
    const info = map[(h & CELL_MASK) >>> PAGE_CELL_SHIFT]!;
    const units = info & IS_SRUN ? BIN_SIZE[info & BIN_MASK]! / 8 : (info & LRUN_PAGES_MASK) * 512;
    return (h & CELL_MASK) + units - DEBUG_INFO_CELLS;
  }

  function record(t: ThreadSlot, h: Handle, size: Bytes): void {
    const cell = sizeCell(t, h);
    cells[cell] = size | 0;
    if ((h & OFFSET_MASK) === 0) return;
    const bytes = (cell - (h & CELL_MASK)) * 8;
    machine.kernel.touch(Math.floor((addressOf(state, h) + bytes) / 4096));
  }

  /** zend_mm_check_leaks: huge blocks first, then chunk by chunk in order of address. */
  function leaksOf(t: ThreadSlot): Leak[] {
    const leaks: Leak[] = [];
    const add = (h: Handle, size: number) =>
      leaks.push({ address: realAddress(addressOf(state, h)), size: size >>> 0 });
    const nodes = new Set<Handle>();
    for (let n = heaps[heapBase(t) + HUGE_LIST]!; n !== 0; n = cells[(n & CELL_MASK) + NODE_NEXT]!) {
      nodes.add(n);
      add(cells[(n & CELL_MASK) + NODE_BLOCK]!, cells[(n & CELL_MASK) + NODE_DEBUG_SIZE]!);
    }
    for (const slot of chunksOf(state, t)) {
      forEachRun(state, slot, (page, pages, bin) => {
        if (bin === FREE_RUN) return;
        const first = handleOf(slot, page);
        if (bin === LARGE_RUN) return void add(first, cells[(first & CELL_MASK) + pages * 512 - DEBUG_INFO_CELLS]!);
        const units = BIN_SIZE[bin]! / 8;
        for (let i = 0; i < BIN_ELEMENTS[bin]!; i++) {
          const h = first + i * units;
          const size = cells[(h & CELL_MASK) + units - DEBUG_INFO_CELLS]!;
          if (size !== 0 && !nodes.has(h)) add(h, size);
        }
      });
    }
    return leaks;
  }

  return { record, leaksOf };
}

/** One line of a leak report. */
const REPORT_FIELDS = 4; // thread, size, address, blocks

/**
 * The leak reports of all requests that have ended, in PHP's words. A trace does not say which line of which source asked
 * for a block; blocks of the same requested size stand for one line of source here, so that "repeated" means something.
 */
export function createLeakReports(machine: Machine) {
  const { memory } = machine;
  const counters = memory.int32('zend.leakCounters', 2);
  const LINES = 0;
  const TOTAL = 1;
  const kept = memory.float64('zend.leaks', NAMED_LEAKS * REPORT_FIELDS);

  function add(t: ThreadSlot, leaks: readonly Leak[]): void {
    const bySize = new Map<Bytes, { address: number; count: number }>();
    for (const { size, address } of leaks) {
      const same = bySize.get(size);
      if (same) same.count++;
      else bySize.set(size, { address, count: 1 });
    }
    counters[TOTAL]! += leaks.length;
    for (const [size, { address, count }] of bySize) {
      const line = counters[LINES]!;
      if (line === NAMED_LEAKS) return;
      kept.set([t, size, address, count], line * REPORT_FIELDS);
      counters[LINES] = line + 1;
    }
  }

  function text(): string {
    const lines: string[] = [];
    for (let i = 0; i < counters[LINES]!; i++) {
      const [, size, address, count] = kept.subarray(i * REPORT_FIELDS, (i + 1) * REPORT_FIELDS);
      lines.push(`(0) :  Freeing 0x${address!.toString(16).padStart(16, '0')} (${size} bytes)`);
      if (count! > 1) lines.push(`Last leak repeated ${count! - 1} time${count! > 2 ? 's' : ''}`);
    }
    if (counters[TOTAL]! > 0) lines.push(`=== Total ${counters[TOTAL]} memory leaks detected ===`);
    return lines.map((line) => `${line}\n`).join('');
  }

  return { add, text, total: (): number => counters[TOTAL]! };
}
