import type { EventBuffer } from '../../sim/contract/event.ts';
import {
  MALLOPT_NAMES,
  OP_CREATE,
  OP_CTL,
  OP_EXIT,
  OP_FORK,
  OP_GC,
  OP_JOIN,
  OP_MASK,
  OP_OPT,
  OP_SHUTDOWN,
} from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import { hasFacts } from './header-lines.ts';

const OPERATIONS_OF_2 = [OP_EXIT, OP_FORK, OP_GC, OP_CTL, OP_SHUTDOWN, OP_JOIN, OP_CREATE];

/** The version of the format that it takes to say what the buffer says: 1 unless it has something that came with 2. */
export function versionOf(events: EventBuffer): 1 | 2 {
  const { head, slot, length, marks, sites, frames, observations, recorded } = events;
  if (marks.rows.length > 0 || sites || frames.length > 1 || observations.length > 0 || hasFacts(recorded)) return 2;
  if (OPERATIONS_OF_2.some((op) => hasOperation(events, op))) return 2;
  if (!hasOperation(events, OP_OPT)) return 1;
  for (let row = 0; row < length; row++) {
    if ((head[row]! & OP_MASK) === OP_OPT && MALLOPT_NAMES[slot[row]!] === 'memory_limit') return 2;
  }
  return 1;
}
