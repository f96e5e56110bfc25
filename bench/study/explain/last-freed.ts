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
import type { Assembled } from '../../run/machine.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunOptions } from '../../run/run-options.ts';

const REQUEST_OPS: ReadonlySet<number> = new Set([OP_EFREE, OP_EREALLOC, OP_REQUEST_END]);
/** Of a walk in steps. */
const STEP_ROWS = 1 << 13;

/** By page, of the block there that was freed, or moved away, last: 1 + the row that allocated it, and the row that freed it; 0 for none. */
export interface LastFreed {
  readonly allocated: Int32Array;
  readonly freed: Int32Array;
  /** The machine as it stands there. */
  readonly assembled: Assembled;
}

/** Before each of `ends`, which ascend. The run is done once more for it, stopping before every event that frees. */
export function* lastFreedBefore(
  options: RunOptions,
  ends: readonly number[],
  visit: (end: number, last: LastFreed) => void,
): Generator<void, void> {
  const { events } = options;
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { assembled } = run;
  const { objects, allocator, request, machine } = assembled;
  const allocated = new Int32Array(machine.kernel.pages.length);
  const freed = new Int32Array(machine.kernel.pages.length);
  const rowOf = new Int32Array(events.objectSlots);

  function leave(slot: number, row: number, op: number): void {
    const handle = objects.handles[slot]!;
    if (handle === 0) return;
    const owner = REQUEST_OPS.has(op) ? (request ?? allocator) : allocator;
    const start = owner.addressOf(handle);
    const first = Math.floor(start / PAGE_BYTES);
    const behind = Math.floor((start + Math.max(1, owner.usableSize(handle)) - 1) / PAGE_BYTES) + 1;
    allocated.fill(1 + rowOf[slot]!, first, behind);
    freed.fill(1 + row, first, behind);
  }

  let row = 0;
  for (const end of ends) {
    for (; row < end && !run.done; row++) {
      if (row % STEP_ROWS === STEP_ROWS - 1) yield;
      const op = events.head[row]! & OP_MASK;
      const slot = events.slot[row]!;
      if (op === OP_FREE || op === OP_EFREE || op === OP_REALLOC || op === OP_EREALLOC) {
        run.advance(row);
        leave(slot, row, op);
      } else if (op === OP_REQUEST_END) {
        run.advance(row);
        for (const held of releasedBy(events, row)) leave(held, row, op);
      }
      if (isAllocating(op)) rowOf[slot] = row;
    }
    run.advance(end);
    visit(end, { allocated, freed, assembled });
  }
}

const releasedBy = ({ requestFrees, a, b }: EventBuffer, row: number): Int32Array =>
  requestFrees.subarray(a[row]!, a[row]! + b[row]!);
