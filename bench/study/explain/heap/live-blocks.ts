import type { Allocator, Handle, ThreadSlot } from '../../../../sim/contract/allocator.ts';
import {
  type EventBuffer,
  hasFailed,
  isAllocating,
  OP_BITS,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_MARKED,
  OP_MASK,
  OP_THREAD_EXIT,
} from '../../../../sim/contract/event.ts';
import type { Addr, Bytes } from '../../../../sim/contract/units.ts';
import { forEachLive } from '../../../../sim/replay/objects.ts';
import { inPiecesBetween } from '../../../../sim/replay/row-pieces.ts';
import type { LockstepRun } from '../../../run/modes/lockstep.ts';

/** One block that the program holds, and who asked for it. */
export interface LiveBlock {
  /** Object slot (event.ts). */
  readonly slot: number;
  readonly handle: Handle;
  /** Serves the block: the request allocator for e… events where there is one. */
  readonly owner: Allocator;
  readonly address: Addr;
  readonly usableBytes: Bytes;
  readonly requestedBytes: Bytes;
  /** The event that gave the block its present size and place. */
  readonly event: number;
  /** Number of the allocating thread in the trace. */
  readonly thread: number;
  /** Who can free it now: the allocating thread, or the main thread where that one has exited. */
  readonly freedBy: ThreadSlot;
}

/** A run in file order, and the rows that it has executed. */
export type RunSoFar = Pick<LockstepRun, 'assembled' | 'row'>;

/** What the program holds: its live blocks in address order, and the threads that have begun and not exited. */
export function liveBlocks(
  run: RunSoFar,
  events: EventBuffer,
): { readonly blocks: readonly LiveBlock[]; readonly threads: readonly ThreadSlot[] } {
  const { objects, allocator, request } = run.assembled;
  const { births, threads, aliveAs } = histories(events, run.row);
  const blocks: LiveBlock[] = [];
  forEachLive(objects, (slot, handle, requestedBytes) => {
    const event = births[slot]!;
    const owner = isRequestOp(events.head[event]! & OP_MASK) ? (request ?? allocator) : allocator;
    const threadSlot = events.head[event]! >>> OP_BITS;
    const thread = threads[slot]!;
    blocks.push({
      slot,
      handle,
      owner,
      address: owner.addressOf(handle),
      usableBytes: owner.usableSize(handle),
      requestedBytes,
      event,
      thread,
      freedBy: aliveAs[threadSlot] === thread ? threadSlot : 0,
    });
  });
  return {
    blocks: blocks.sort((x, y) => x.address - y.address),
    threads: [...aliveAs.keys()].filter((t) => aliveAs[t]! >= 0),
  };
}

function isRequestOp(op: number): boolean {
  return op === OP_EMALLOC || op === OP_EFREE || op === OP_ECALLOC || op === OP_EREALLOC;
}

/** By object slot, the last event that allocated it and that event's thread; by thread slot, who lives there (-1: nobody). */
function histories(events: EventBuffer, end: number) {
  const { head, slot, begins } = events;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [opBits, opMask, marked, threadExit] = [OP_BITS, OP_MASK, OP_MARKED, OP_THREAD_EXIT];
  const allocates = Uint8Array.from({ length: opMask + 1 }, (_, op) => (isAllocating(op) ? 1 : 0));
  const births = new Int32Array(events.objectSlots);
  const threads = new Uint32Array(events.objectSlots);
  const aliveAs = new Float64Array(events.threadSlots).fill(-1);
  aliveAs[0] = 0;

  /** Rows in which no thread begins. */
  function look(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const word = head[row]!;
      const op = word & opMask;
      if (allocates[op] === 1) {
        if ((word & marked) !== 0 && hasFailed(events, row)) continue;
        births[slot[row]!] = row;
        threads[slot[row]!] = aliveAs[word >>> opBits]!;
      } else if (op === threadExit && word >>> opBits !== 0) {
        aliveAs[word >>> opBits] = -1;
      }
    }
  }

  inPiecesBetween(begins, end, (i) => void (aliveAs[begins[i]!.thread] = begins[i]!.id), look);
  return { births, threads, aliveAs };
}
