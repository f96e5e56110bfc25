import {
  type EventBuffer,
  isAllocating,
  OP_EFREE,
  OP_EREALLOC,
  OP_FREE,
  OP_MASK,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../../sim/contract/event.ts';
import { PAGE_BYTES } from '../../../sim/contract/units.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunOptions } from '../../run/run-options.ts';

const REQUEST_OPS: ReadonlySet<number> = new Set([OP_EFREE, OP_EREALLOC, OP_REQUEST_END]);

/**
 * By page, 1 + the call site of the block there that was freed, or moved away, last before row `end`; 0 where there was none.
 * The run is done once more for it, stopping before every event that frees.
 */
export function lastFreedSites(options: RunOptions, sites: Int32Array, end: number): Int32Array {
  const { events } = options;
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { objects, allocator, request, machine } = run.assembled;
  const lastFreed = new Int32Array(machine.kernel.pages.length);
  const siteOf = new Int32Array(events.objectSlots);

  function leave(slot: number, op: number): void {
    const handle = objects.handles[slot]!;
    if (handle === 0) return;
    const owner = REQUEST_OPS.has(op) ? (request ?? allocator) : allocator;
    const start = owner.addressOf(handle);
    const last = Math.floor((start + Math.max(1, owner.usableSize(handle)) - 1) / PAGE_BYTES);
    lastFreed.fill(1 + siteOf[slot]!, Math.floor(start / PAGE_BYTES), last + 1);
  }

  for (let row = 0; row < end && !run.done; row++) {
    const op = events.head[row]! & OP_MASK;
    const slot = events.slot[row]!;
    if (op === OP_FREE || op === OP_EFREE || op === OP_REALLOC || op === OP_EREALLOC) {
      run.advance(row);
      leave(slot, op);
    } else if (op === OP_REQUEST_END) {
      run.advance(row);
      releasedBy(events, row).forEach((held) => void leave(held, op));
    }
    if (isAllocating(op)) siteOf[slot] = sites[row]!;
  }
  return lastFreed;
}

const releasedBy = ({ requestFrees, a, b }: EventBuffer, row: number): Int32Array =>
  requestFrees.subarray(a[row]!, a[row]! + b[row]!);
