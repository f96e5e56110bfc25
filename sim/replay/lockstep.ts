import type { Allocator, RequestAllocator, ThreadSlot } from '../contract/allocator.ts';
import { AllocatorAbort, ProcessKilled } from '../contract/assert.ts';
import type { EventBuffer, PassingTrace } from '../contract/event.ts';
import * as columns from '../contract/event.ts';
import type { Addr, Bytes } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { createInterpreter } from './interpreter.ts';
import type { ObjectTable } from './objects.ts';
import { PIECE_ROWS } from './row-pieces.ts';

export interface LockstepOptions {
  readonly events: EventBuffer | PassingTrace;
  readonly objects: ObjectTable;
  readonly kernel: Kernel;
  readonly allocator: Allocator;
  /** Serves the e… events; without it they go to `allocator`, and a request's end frees its live blocks one by one. */
  readonly request: RequestAllocator | undefined;
  /** Whether fresh blocks are written (`%touch` full or first). */
  readonly touches: boolean;
  /** Pages may go at any time, so that every write must be told: what a model knows to be resident need not be. */
  readonly pagesMayGo?: boolean;
  /** Called before a `w` event of the thread. */
  readonly beforeWrite?: (t: ThreadSlot) => void;
  /** Called for an allocation that returned 0. */
  readonly onFailure: (row: number) => void;
  /** Where the block of an allocating row was, for events that free it once more. */
  readonly addressOfRow?: (row: number) => Addr;
}

export interface Lockstep {
  /** Executes rows [from, to), which are in the columns. Thread begins and sample points are the caller's: it cuts the range there. */
  run(from: number, to: number): void;
  startThread(t: ThreadSlot): void;
}

/** Of a block; see event.ts. */
const LARGEST_SIZE = 0xffffffff;

/**
 * Executes rows [from, to) strictly in file order. The calls of the model are captured as constants, so that in a process that runs one model every call site
 * sees one target and can be inlined.
 */
export function createLockstep(options: LockstepOptions): Lockstep {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_BITS, OP_BY_MARK, OP_EFREE, OP_EMALLOC, OP_FREE, OP_MALLOC, OP_MASK, OP_OR_MARK } = columns;
  const { events, objects, kernel, allocator, request, touches, onFailure, addressOfRow } = options;
  const { head, slot, a, b, mask } = columns.rowsOf(events);
  const { handles, requested } = objects;
  const { free, touchBlock } = allocator;
  const upper = request ?? allocator;
  const { free: efree, touchBlock: touchRequestBlock } = upper;
  const relies = touches && options.pagesMayGo !== true;
  const malloc = (relies && allocator.mallocTouched) || allocator.malloc;
  const emalloc = (relies && upper.mallocTouched) || upper.malloc;
  const touchAbove = touchedBeyond(allocator);
  const touchRequestAbove = touchedBeyond(upper);
  let current = 0; // the row that the interpreter executes

  const nothing = () => {};
  const { execute, startThread, noteRefusal } = createInterpreter({
    objects,
    requestFrees: events.requestFrees,
    marks: events.marks,
    kernel,
    allocator,
    request,
    addressOfRow,
    isAlone: true,
    onFailure: () => onFailure(current),
    touchFresh: touches ? (target, _t, handle, from, to) => target.touchBlock(handle, from, to) : nothing,
    write: (target, t, handle, from, to) => {
      options.beforeWrite?.(t);
      target.touchBlock(handle, from, to);
    },
    beforeMalloc: nothing,
    afterMalloc: nothing,
    beforeFree: nothing,
    afterFree: nothing,
    onLive: nothing,
    afterOther: nothing,
  });

  /** Fresh blocks of malloc above this size need a touch of their own; none is above the largest. */
  function touchedBeyond(target: Allocator): Bytes {
    if (!relies) return touches ? 0 : LARGEST_SIZE;
    return target.mallocTouched ? LARGEST_SIZE : (target.selfTouchedBytes ?? 0);
  }

  function failRequest(row: number, t: number, s: number): void {
    noteRefusal(t, s);
    onFailure(row);
  }

  function runPiece(from: number, to: number): void {
    const end = to | 0; // tells the compiler that rows are small integers
    let row = from | 0;
    try {
      for (; row < end; row++) {
        const at = row & mask;
        const word = head[at]!;
        const op = word & OP_OR_MARK;
        if (op === OP_MALLOC) {
          const size = a[at]!;
          const s = slot[at]!;
          const handle = malloc(word >>> OP_BITS, size) | 0; // | 0: kept as an integer, not as a tagged value
          handles[s] = handle;
          requested[s] = size;
          if (handle === 0) onFailure(row);
          else if (size > touchAbove) touchBlock(handle, 0, size);
        } else if (op === OP_FREE) {
          const s = slot[at]!;
          const handle = handles[s]!;
          if (handle !== 0) free(word >>> OP_BITS, handle);
          else execute(op, word >>> OP_BITS, s, 0, 0);
          handles[s] = 0;
        } else if (op === OP_EMALLOC) {
          const size = a[at]!;
          const s = slot[at]!;
          const handle = emalloc(word >>> OP_BITS, size) | 0;
          handles[s] = handle;
          requested[s] = size;
          if (handle === 0) failRequest(row, word >>> OP_BITS, s);
          else if (size > touchRequestAbove) touchRequestBlock(handle, 0, size);
        } else if (op === OP_EFREE) {
          const s = slot[at]!;
          const handle = handles[s]!;
          if (handle !== 0) efree(word >>> OP_BITS, handle);
          else execute(op, word >>> OP_BITS, s, 0, 0);
          handles[s] = 0;
        } else {
          current = row;
          if (op <= OP_MASK) execute(op, word >>> OP_BITS, slot[at]!, a[at]!, b[at]!);
          else execute(OP_BY_MARK, word >>> OP_BITS, slot[at]!, row, 0);
        }
      }
    } catch (error) {
      if (error instanceof AllocatorAbort || error instanceof ProcessKilled) error.event = row;
      throw error;
    }
  }

  function run(from: number, to: number): void {
    for (let row = from; row < to; row += PIECE_ROWS) runPiece(row, Math.min(to, row + PIECE_ROWS));
  }

  return { run, startThread };
}
