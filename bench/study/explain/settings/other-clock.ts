import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../../sim/contract/event.ts';
import { operationSet, rememberOperationSet } from '../../../../sim/contract/operation-set.ts';
import type { Ns } from '../../../../sim/contract/units.ts';
import { sharedCopy, sharedUint32 } from '../../../../workloads/trace/columns.ts';
import { nsOf } from '../going-down/pauses.ts';

/** The same events, with a clock that goes at `pace` of theirs, but for pauses from `keptFromNs` on. */
export function withClock(events: EventBuffer, pace: number, keptFromNs: Ns = Number.POSITIVE_INFINITY): EventBuffer {
  // Other columns of the same trace: machines are kept by what they run.
  const head = sharedCopy(events.head.subarray(0, events.length));
  const a = copied(events.a, events.length);
  const b = copied(events.b, events.length);
  let [theirs, given] = [0, 0];
  for (let row = 0; row < events.length; row++) {
    if ((events.head[row]! & OP_MASK) !== OP_CLOCK) continue;
    const passed = nsOf(events, row);
    theirs += passed >= keptFromNs ? passed : passed * pace;
    const ns = Math.round(theirs) - given;
    given += ns;
    a[row] = ns % 2 ** 32;
    b[row] = Math.floor(ns / 2 ** 32);
  }
  const timed = { ...events, head, a, b };
  rememberOperationSet(timed, operationSet(events));
  return timed;
}

function copied(column: Uint32Array, length: number): Uint32Array {
  const copy = sharedUint32(length);
  copy.set(column.subarray(0, length));
  return copy;
}
