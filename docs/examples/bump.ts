import type { AllocatorModel } from '../../allocators/model.ts';
import {
  type Allocator,
  RANGE_FREE,
  RANGE_LIVE,
  RANGE_METADATA,
  type ThreadSlot,
} from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import { alignUp } from '../../sim/contract/units.ts';
import { MADV_DONTNEED } from '../../sim/kernel/kernel.ts';
import { BRK_START_PAGE } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';

// The break ─►  ┌────────┬───────────────┬────────┬─────────┬─ ─ ─     blocks lie in the order of their allocation and are
//               │ header │ usable bytes  │ header │  …      │          never used again; the break falls back over the
//               └────────┴───────────────┴────────┴─────────┴─ ─ ─     dead blocks at its end
const HEADER_BYTES = 16;
const ALIGN_BYTES = 16;
const BLOCKS_MAX = 1 << 24;
const BRK_START = BRK_START_PAGE * 4096;

// One record a block; the handle is its number, from 1.
const RECORD_WORDS = 3;
const START = 0; // address of the usable bytes / 16
const UNITS = 1; // usable bytes / 16
const LIVE = 2; // 1 while the program holds it

const COUNT = 0; // in `state`

/** A bump allocator over brk: the smallest model that can say where its memory is. */
export function createBump(machine: Machine): Allocator {
  const { memory, kernel } = machine;
  const state = memory.int32('bump.state', 4);
  const records = memory.int32('bump.records', BLOCKS_MAX * RECORD_WORDS, () => (state[COUNT]! + 1) * RECORD_WORDS);

  const start = (h: number) => records[h * RECORD_WORDS + START]! * 16;
  const usable = (h: number) => records[h * RECORD_WORDS + UNITS]! * 16;
  const end = (h: number) => (h === 0 ? BRK_START : start(h) + usable(h));
  const isLive = (h: number) => records[h * RECORD_WORDS + LIVE] === 1;

  function take(t: ThreadSlot, align: number, size: number): number {
    const h = state[COUNT]! + 1;
    const from = alignUp(end(h - 1) + HEADER_BYTES, align);
    const to = from + Math.max(ALIGN_BYTES, alignUp(size, ALIGN_BYTES));
    const wanted = Math.ceil(to / 4096);
    if (h === BLOCKS_MAX || (wanted > kernel.brkEnd() && kernel.brk(t, wanted) < wanted)) return 0;
    records[h * RECORD_WORDS + START] = from / 16;
    records[h * RECORD_WORDS + UNITS] = (to - from) / 16;
    records[h * RECORD_WORDS + LIVE] = 1;
    state[COUNT] = h;
    kernel.touch(Math.floor((from - HEADER_BYTES) / 4096));
    return h;
  }

  function touchBlock(h: number, from: number, to: number): void {
    const at = start(h);
    kernel.touchRange(Math.floor((at + from) / 4096), Math.floor((at + to - 1) / 4096));
  }

  function calloc(t: ThreadSlot, count: number, size: number): number {
    const h = take(t, ALIGN_BYTES, count * size);
    if (h !== 0 && count * size > 0) touchBlock(h, 0, count * size);
    return h;
  }

  function free(t: ThreadSlot, h: number): void {
    records[h * RECORD_WORDS + LIVE] = 0;
    if (h !== state[COUNT]) return;
    while (h > 0 && !isLive(h)) records.fill(0, h * RECORD_WORDS, h-- * RECORD_WORDS + RECORD_WORDS);
    state[COUNT] = h;
    kernel.brk(t, Math.ceil(end(h) / 4096));
  }

  function realloc(t: ThreadSlot, h: number, size: number): number {
    if (size <= usable(h)) return h;
    const moved = take(t, ALIGN_BYTES, size);
    if (moved === 0) return 0;
    touchBlock(moved, 0, usable(h));
    free(t, h);
    return moved;
  }

  /** Gives back the whole pages inside dead blocks; their headers stay. */
  function trim(t: ThreadSlot): boolean {
    const before = kernel.residency.residentPages();
    for (let h = 1; h <= state[COUNT]!; h++) {
      if (isLive(h)) continue;
      const from = Math.ceil(start(h) / 4096);
      const to = Math.floor(end(h) / 4096);
      if (to > from && kernel.residency.residentIn(from, to) > 0) kernel.madvise(t, from, to - from, MADV_DONTNEED);
    }
    return kernel.residency.residentPages() < before;
  }

  return {
    name: 'bump-1',
    malloc: (t, size) => take(t, ALIGN_BYTES, size),
    calloc,
    realloc,
    memalign: (t, align, size) => take(t, Math.max(align, ALIGN_BYTES), size),
    free,
    addressOf: start,
    usableSize: usable,
    touchBlock,
    threadStart: () => {},
    threadExit: () => {},
    trim,
    mallopt: () => {},
    stats: () => ({ blocks: state[COUNT]!, arena: kernel.brkEnd() * 4096 - BRK_START }),
    walk(visit) {
      for (let h = 1; h <= state[COUNT]!; h++) {
        visit(end(h - 1), start(h) - end(h - 1), RANGE_METADATA, 0);
        visit(start(h), usable(h), isLive(h) ? RANGE_LIVE : RANGE_FREE, h);
      }
      const top = end(state[COUNT]!);
      if (kernel.brkEnd() * 4096 > top) visit(top, kernel.brkEnd() * 4096 - top, RANGE_FREE, 0);
    },
    areas(visit) {
      if (kernel.brkEnd() > BRK_START_PAGE) visit(BRK_START, kernel.brkEnd() * 4096 - BRK_START, 'main heap', 'heap');
    },
    check() {
      for (let h = 1; h <= state[COUNT]!; h++) assert(start(h) >= end(h - 1) + HEADER_BYTES, `block ${h} overlaps`);
      assert(end(state[COUNT]!) <= kernel.brkEnd() * 4096, 'the last block ends beyond the break');
    },
    notModelled: () => [],
  };
}

export const bump: AllocatorModel = {
  name: 'bump',
  versions: ['1'],
  about: 'takes from the break, gives back from its end',
  options: [],
  create: createBump,
  layered: false,
  views: [],
};
