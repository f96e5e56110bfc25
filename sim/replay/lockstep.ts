import type { Allocator, Handle, RequestAllocator } from '../contract/allocator.ts';
import { AllocatorAbort } from '../contract/assert.ts';
import type { EventBuffer } from '../contract/event.ts';
import * as columns from '../contract/event.ts';
import type { Addr, Bytes } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ObjectTable } from './objects.ts';

export interface LockstepOptions {
  readonly events: EventBuffer;
  readonly objects: ObjectTable;
  readonly kernel: Kernel;
  readonly allocator: Allocator;
  /** Serves the e… events; without it they go to `allocator`, and a request's end frees its live blocks one by one. */
  readonly request: RequestAllocator | undefined;
  /** Whether fresh blocks are written (`%touch` full or first). */
  readonly touches: boolean;
  /** Called for an allocation that returned 0. */
  readonly onFailure: (row: number) => void;
  /** Where the block of an allocating row was, for events that free it once more. */
  readonly addressOfRow?: (row: number) => Addr;
}

/** See `run`: a longer piece would be entered too seldom. */
const PIECE_ROWS = 1024;
/** Of a block; see event.ts. */
const LARGEST_SIZE = 0xffffffff;

/**
 * Executes rows [from, to) strictly in file order. Thread begins and sample points are the caller's: it cuts the range
 * there. The calls of the model are captured as constants, so that in a process that runs one model every call site
 * sees one target and can be inlined.
 */
export function createLockstep(options: LockstepOptions): (from: number, to: number) => void {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const {
    MALLOPT_NAMES,
    OP_BITS,
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
    OP_OPT,
    OP_REALLOC,
    OP_REQUEST_BEGIN,
    OP_REQUEST_END,
    OP_STALE_FREE,
    OP_THREAD_EXIT,
    OP_TRIM,
    OP_WRITE,
  } = columns;
  const { events, objects, kernel, allocator, request, touches, onFailure, addressOfRow } = options;
  const { head, slot, a, b, requestFrees } = events;
  const { handles, requested } = objects;
  const { free, calloc, realloc, memalign, touchBlock } = allocator;
  const upper = request ?? allocator;
  const { free: efree, touchBlock: touchRequestBlock } = upper;
  const malloc = (touches && allocator.mallocTouched) || allocator.malloc;
  const emalloc = (touches && upper.mallocTouched) || upper.malloc;
  const touchAbove = touchedBeyond(allocator);
  const touchRequestAbove = touchedBeyond(upper);

  /** Fresh blocks of malloc above this size need a touch of their own; none is above the largest. */
  function touchedBeyond(target: Allocator): Bytes {
    return touches && !target.mallocTouched ? (target.selfTouchedBytes ?? 0) : LARGEST_SIZE;
  }

  function started(row: number, handle: Handle, size: number): void {
    const s = slot[row]!;
    handles[s] = handle;
    requested[s] = size;
    if (handle === 0) onFailure(row);
    else if (touches && size > 0) touchBlock(handle, 0, size);
  }

  function resize(target: Allocator, t: number, row: number): void {
    const s = slot[row]!;
    const handle = handles[s]!;
    const size = a[row]!;
    if (size === 0) {
      if (handle !== 0) target.free(t, handle);
      handles[s] = 0;
      return;
    }
    const moved = handle === 0 ? target.malloc(t, size) : target.realloc(t, handle, size);
    if (moved === 0) {
      onFailure(row);
      return; // the old block lives on
    }
    handles[s] = moved;
    requested[s] = size;
    const old = handle === 0 ? 0 : b[row]!;
    if (touches && size > old) target.touchBlock(moved, old, size);
  }

  function endRequest(t: number, first: number, count: number): void {
    if (request) request.requestEnd(t);
    for (let i = first; i < first + count; i++) {
      const s = requestFrees[i]!;
      if (!request && handles[s] !== 0) allocator.free(t, handles[s]!);
      handles[s] = 0;
    }
  }

  /** Everything but malloc, free, emalloc and efree; kept out of the loop so that the loop stays small enough to be optimised whole. */
  function execute(op: number, t: number, row: number): void {
    switch (op) {
      case OP_CALLOC:
        started(row, calloc(t, a[row]!, b[row]!), a[row]! * b[row]!);
        break;
      case OP_REALLOC:
        if (a[row] === 0 || handles[slot[row]!] === 0) {
          resize(allocator, t, row);
        } else {
          const s = slot[row]!;
          const size = a[row]!;
          const moved = realloc(t, handles[s]!, size);
          if (moved === 0) {
            onFailure(row);
          } else {
            handles[s] = moved;
            requested[s] = size;
            if (touches && size > b[row]!) touchBlock(moved, b[row]!, size);
          }
        }
        break;
      case OP_MEMALIGN:
        started(row, memalign(t, Math.max(8, a[row]!), b[row]!), b[row]!);
        break;
      case OP_WRITE: {
        const s = slot[row]!;
        const handle = handles[s]!;
        // A block whose realloc failed is shorter than the trace thinks.
        const end = Math.min(a[row]! + b[row]!, requested[s]!);
        if (handle !== 0 && a[row]! < end) allocator.touchBlock(handle, a[row]!, end);
        break;
      }
      case OP_ECALLOC: {
        const s = slot[row]!;
        const size = a[row]! * b[row]!;
        const handle = upper.calloc(t, a[row]!, b[row]!);
        handles[s] = handle;
        requested[s] = size;
        if (handle === 0) onFailure(row);
        else if (touches && size > 0) upper.touchBlock(handle, 0, size);
        break;
      }
      case OP_EREALLOC:
        resize(upper, t, row);
        break;
      case OP_REQUEST_BEGIN:
        request?.requestBegin(t);
        break;
      case OP_REQUEST_END:
        endRequest(t, a[row]!, b[row]!);
        break;
      case OP_TRIM:
        allocator.trim(t, a[row]!);
        break;
      case OP_OPT:
        allocator.mallopt(t, MALLOPT_NAMES[slot[row]!]!, a[row]! | 0);
        break;
      case OP_CLOCK:
        kernel.advanceClock(b[row]! * 2 ** 32 + a[row]!);
        allocator.advance?.(t);
        break;
      case OP_THREAD_EXIT:
        if (request) request.threadExit(t);
        allocator.threadExit(t);
        break;
      case OP_STALE_FREE:
        if (addressOfRow) allocator.freeStale?.(t, addressOfRow(a[row]!));
        break;
      default: // THREAD_BEGIN, SAMPLE and SKIPPED do nothing here
    }
  }

  function runPiece(from: number, to: number): void {
    const end = to | 0; // tells the compiler that rows are small integers
    let row = from | 0;
    try {
      for (; row < end; row++) {
        const word = head[row]!;
        const op = word & OP_MASK;
        if (op === OP_MALLOC) {
          const size = a[row]!;
          const s = slot[row]!;
          const handle = malloc(word >>> OP_BITS, size) | 0; // | 0: kept as an integer, not as a tagged value
          handles[s] = handle;
          requested[s] = size;
          if (handle === 0) onFailure(row);
          else if (size > touchAbove) touchBlock(handle, 0, size);
        } else if (op === OP_FREE) {
          const s = slot[row]!;
          const handle = handles[s]!;
          if (handle !== 0) free(word >>> OP_BITS, handle);
          handles[s] = 0;
        } else if (op === OP_EMALLOC) {
          const size = a[row]!;
          const s = slot[row]!;
          const handle = emalloc(word >>> OP_BITS, size) | 0;
          handles[s] = handle;
          requested[s] = size;
          if (handle === 0) onFailure(row);
          else if (size > touchRequestAbove) touchRequestBlock(handle, 0, size);
        } else if (op === OP_EFREE) {
          const s = slot[row]!;
          const handle = handles[s]!;
          if (handle !== 0) efree(word >>> OP_BITS, handle);
          handles[s] = 0;
        } else {
          execute(op, word >>> OP_BITS, row);
        }
      }
    } catch (error) {
      if (error instanceof AllocatorAbort) error.event = row;
      throw error;
    }
  }

  // In pieces, so that the loop is entered often: code that replaces a running loop knows less about its closure than code
  // that replaces a function, and is half as fast.
  return function run(from: number, to: number): void {
    for (let row = from; row < to; row += PIECE_ROWS) runPiece(row, Math.min(to, row + PIECE_ROWS));
  };
}
