import type { Allocator } from '../../sim/contract/allocator.ts';
import {
  type EventBuffer,
  exactA,
  exactB,
  MARK_UNWRITTEN,
  markOf,
  OP_CALLOC,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_REALLOC,
  OP_WRITE,
} from '../../sim/contract/event.ts';
import { type Addr, type Bytes, PAGE_BYTES, type Page } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import { BRK_START_PAGE } from '../../sim/kernel/layout.ts';
import { COPY_ON_WRITE } from '../../sim/kernel/residency.ts';
import type { Lockstep } from '../../sim/replay/lockstep.ts';
import type { ObjectTable } from '../../sim/replay/objects.ts';

/** In front of glibc's blocks, and where a free one has its links. */
const HEADER_BYTES = 16;
const LINK_BYTES = 16;
/** Of a chunk of Zend's. */
const CHUNK_PAGES = 512;

/**
 * Executes rows in a forked worker. The models do not look at pages that they know to be there: small blocks lie on pages that were written
 * before. After a fork these are the master's as well, and each first write to one makes a copy. So here every write is told:
 *
 *   malloc   the block as far as it is written, and its header     free   its links
 *   any      tcache_perthread_struct, the first block of the break; for Zend the chunk's first page (zend_mm_chunk)
 *
 * What a program writes to blocks that it had before the fork is known only where the trace has `w` lines.
 */
export function createTellingLockstep(
  events: EventBuffer,
  objects: ObjectTable,
  kernel: Kernel,
  lockstep: Lockstep,
  /** The upper layer's, which knows whose a block is. */
  addressOf: Allocator['addressOf'],
): Lockstep['run'] {
  const { head, slot, a } = events;
  const { pages } = kernel;

  function writePage(page: Page): void {
    if (pages[page] === COPY_ON_WRITE) kernel.fault(page);
  }

  function write(from: Addr, to: Addr): void {
    const last = Math.floor((to - 1) / PAGE_BYTES);
    for (let page = Math.floor(from / PAGE_BYTES); page <= last; page++) writePage(page);
  }

  function writtenBytes(row: number, op: number, requested: Bytes): Bytes {
    if (op === OP_CALLOC || op === OP_ECALLOC || (head[row]! & OP_MARKED) === 0) return requested;
    return events.marks.flags[markOf(events.marks, row)]! & MARK_UNWRITTEN ? 1 : requested;
  }

  return (from, to) => {
    for (let row = from; row < to; row++) {
      const op = head[row]! & OP_MASK;
      const isZend = op >= OP_EMALLOC && op <= OP_EREALLOC;
      const before = objects.handles[slot[row]!]!;
      const isFree = op === OP_FREE || op === OP_EFREE;
      if ((isFree || op === OP_REALLOC || op === OP_EREALLOC) && before !== 0) {
        const address = addressOf(before);
        write(address - (isZend ? 0 : HEADER_BYTES), address + LINK_BYTES);
      }
      if (op === OP_WRITE && before !== 0) {
        const start = addressOf(before) + exactA(events, row);
        write(start, start + Math.max(1, exactB(events, row)));
      }
      lockstep.run(row, row + 1);
      if (op > OP_EREALLOC || op === OP_WRITE) continue;
      if (isFree) {
        if (!isZend) writePage(BRK_START_PAGE);
        continue;
      }
      const handle = objects.handles[slot[row]!]!;
      if (handle === 0) continue;
      const address = addressOf(handle);
      const size = op === OP_MALLOC || op === OP_EMALLOC ? a[row]! : objects.requested[slot[row]!]!;
      write(address - (isZend ? 0 : HEADER_BYTES), address + Math.max(1, writtenBytes(row, op, size)));
      writePage(isZend ? Math.floor(address / PAGE_BYTES / CHUNK_PAGES) * CHUNK_PAGES : BRK_START_PAGE);
    }
  };
}
