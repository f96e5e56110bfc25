import type { EventBuffer } from '../../sim/contract/event.ts';
import {
  MALLOPT_NAMES,
  OP_CTL,
  OP_EXIT,
  OP_FORK,
  OP_GC,
  OP_MASK,
  OP_OPT,
  OP_SHUTDOWN,
} from '../../sim/contract/event.ts';
import { hasFacts } from './header-lines.ts';

/** The version of the format that it takes to say what the buffer says: 1 unless it has something that came with 2. */
export function versionOf(events: EventBuffer): 1 | 2 {
  const { head, slot, length, marks, sites, frames, observations, recorded } = events;
  if (marks.rows.length > 0 || sites || frames.length > 1 || observations.length > 0 || hasFacts(recorded)) return 2;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_EXIT || op === OP_FORK || op === OP_GC || op === OP_CTL || op === OP_SHUTDOWN) return 2;
    if (op === OP_OPT && MALLOPT_NAMES[slot[row]!] === 'memory_limit') return 2;
  }
  return 1;
}
