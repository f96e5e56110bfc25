import type { AllocatorModel } from '../../allocators/model.ts';
import type { AllocatorSpec } from '../../allocators/spec.ts';
import { type Allocator, RANGE_CACHED, RANGE_FREE, RANGE_LIVE, type ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert, InvariantError } from '../../sim/contract/assert.ts';
import { OP_LIST_INSERTS, OP_SLOW_CALLS } from '../../sim/contract/operations.ts';
import { BRK_START_PAGE } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';

// A small allocator with the lock structure of the real ones, to test time and threads with: each thread has a shelf of
// up to CACHED free blocks of each size (no lock); behind the shelves is one store (lock `store`). Sizes are powers of two.
const CACHED = 4;
const CLASSES = 20; // 16 bytes to 8 MiB
const BLOCKS_MAX = 1 << 20;
const RECORD_WORDS = 4;
const START = 0; // address / 16
const CLASS = 1;
const NEXT = 2; // in a free list
const WHERE = 3;
const LIVE = 1;
const ON_SHELF = 2;
const IN_STORE = 3;

const COUNT = 0;
const TOP = 1; // address / 16 behind the last block
const STORE = 2; // heads of the store's lists

export function createShelf(machine: Machine, _version = '1', options: { cached?: unknown } = {}): Allocator {
  const { memory, kernel, locks, operations } = machine;
  const cached = typeof options.cached === 'number' ? options.cached : CACHED;
  const state = memory.int32('shelf.state', STORE + CLASSES);
  const records = memory.int32('shelf.records', BLOCKS_MAX * RECORD_WORDS, () => (state[COUNT]! + 1) * RECORD_WORDS);
  const shelves = memory.int32('shelf.shelves', machine.threadSlots * CLASSES * 2); // head, length
  const store = locks.create('store', 'futex');
  if (!memory.attached) state[TOP] = BRK_START_PAGE * 256;

  const classOf = (size: number) => Math.max(0, 32 - Math.clz32(Math.max(1, size) - 1) - 4);
  const bytesOf = (c: number) => 16 << c;
  const record = (h: number) => h * RECORD_WORDS;
  const start = (h: number) => records[record(h) + START]! * 16;

  function grow(t: ThreadSlot, c: number): number {
    const h = state[COUNT]! + 1;
    const end = state[TOP]! * 16 + bytesOf(c);
    if (h === BLOCKS_MAX) return 0;
    if (end > kernel.brkEnd() * 4096) {
      const wanted = Math.ceil(end / 4096) + 32;
      if (kernel.brk(t, wanted) < wanted) return 0;
    }
    records[record(h) + START] = state[TOP]!;
    records[record(h) + CLASS] = c;
    state[TOP] = end / 16;
    state[COUNT] = h;
    return h;
  }

  function malloc(t: ThreadSlot, size: number): number {
    const c = classOf(size);
    if (c >= CLASSES) return 0;
    const shelf = (t * CLASSES + c) * 2;
    let h = shelves[shelf]!;
    if (h !== 0) {
      shelves[shelf] = records[record(h) + NEXT]!;
      shelves[shelf + 1]!--;
    } else {
      operations[OP_SLOW_CALLS]!++;
      locks.acquire(t, store);
      h = state[STORE + c]!;
      if (h !== 0) {
        operations[OP_LIST_INSERTS]!++;
        state[STORE + c] = records[record(h) + NEXT]!;
      } else h = grow(t, c);
      locks.release(t, store);
      if (h === 0) return 0;
    }
    if (records[record(h) + WHERE] === LIVE) throw new InvariantError(`block ${h} is handed out twice`);
    records[record(h) + WHERE] = LIVE;
    return h;
  }

  function put(t: ThreadSlot, h: number): void {
    const c = records[record(h) + CLASS]!;
    locks.acquire(t, store);
    operations[OP_LIST_INSERTS]!++;
    records[record(h) + WHERE] = IN_STORE;
    records[record(h) + NEXT] = state[STORE + c]!;
    state[STORE + c] = h;
    locks.release(t, store);
  }

  function free(t: ThreadSlot, h: number): void {
    if (records[record(h) + WHERE] !== LIVE) throw new InvariantError(`block ${h} is freed, but not live`);
    const shelf = (t * CLASSES + records[record(h) + CLASS]!) * 2;
    if (shelves[shelf + 1]! < cached) {
      records[record(h) + WHERE] = ON_SHELF;
      records[record(h) + NEXT] = shelves[shelf]!;
      shelves[shelf] = h;
      shelves[shelf + 1]!++;
      return;
    }
    operations[OP_SLOW_CALLS]!++;
    put(t, h);
  }

  function touchBlock(h: number, from: number, to: number): void {
    const at = start(h);
    kernel.touchRange(Math.floor((at + from) / 4096), Math.floor((at + to - 1) / 4096));
  }

  function realloc(t: ThreadSlot, h: number, size: number): number {
    if (classOf(size) === records[record(h) + CLASS]) return h;
    const moved = malloc(t, size);
    if (moved !== 0) free(t, h);
    return moved;
  }

  return {
    name: 'shelf-1',
    malloc,
    calloc: (t, count, size) => malloc(t, count * size),
    realloc,
    memalign: (t, align, size) => malloc(t, Math.max(align, size)),
    free,
    addressOf: start,
    usableSize: (h) => bytesOf(records[record(h) + CLASS]!),
    touchBlock,
    mallocLocal: (t, size) =>
      classOf(size) < CLASSES && shelves[(t * CLASSES + classOf(size)) * 2] !== 0 ? malloc(t, size) : 0,
    freeLocal(t, h) {
      const isLocal = shelves[(t * CLASSES + records[record(h) + CLASS]!) * 2 + 1]! < cached;
      if (isLocal) free(t, h);
      return isLocal;
    },
    threadStart: () => {},
    threadExit(t) {
      for (let c = 0; c < CLASSES; c++) {
        const shelf = (t * CLASSES + c) * 2;
        for (let h = shelves[shelf]!; h !== 0; ) {
          const next = records[record(h) + NEXT]!;
          put(t, h);
          h = next;
        }
        shelves.fill(0, shelf, shelf + 2);
      }
    },
    trim: () => false,
    mallopt: () => {},
    stats: () => ({ blocks: state[COUNT]! }),
    walk(visit) {
      for (let h = 1; h <= state[COUNT]!; h++) {
        const where = records[record(h) + WHERE];
        const kind = where === LIVE ? RANGE_LIVE : where === ON_SHELF ? RANGE_CACHED : RANGE_FREE;
        visit(start(h), bytesOf(records[record(h) + CLASS]!), kind, h);
      }
      visit(state[TOP]! * 16, kernel.brkEnd() * 4096 - state[TOP]! * 16, RANGE_FREE, 0);
    },
    areas: () => {},
    check() {
      let free = 0;
      const walkList = (head: number, where: number) => {
        for (let h = head; h !== 0; h = records[record(h) + NEXT]!) {
          assert(records[record(h) + WHERE] === where, `block ${h} is on a wrong list`);
          assert(++free <= state[COUNT]!, 'a free list is a ring');
        }
      };
      for (let c = 0; c < CLASSES; c++) walkList(state[STORE + c]!, IN_STORE);
      for (let i = 0; i < shelves.length; i += 2) walkList(shelves[i]!, ON_SHELF);
      let live = 0;
      for (let h = 1; h <= state[COUNT]!; h++) if (records[record(h) + WHERE] === LIVE) live++;
      assert(live + free === state[COUNT], `${state[COUNT]} blocks, but ${live} live and ${free} free ones`);
    },
    notModelled: () => [],
  };
}

const shelf: AllocatorModel = {
  name: 'shelf',
  versions: ['1'],
  about: 'shelves of threads before one store',
  options: [],
  create: createShelf,
  layered: false,
  views: [],
};

/** `cached` blocks of each size on a thread's shelf. */
export function shelfSpec(cached = CACHED): AllocatorSpec {
  return { model: shelf, version: '1', options: { cached }, given: {}, below: undefined };
}
