import { type EventBuffer, MALLOPT_NAMES, OP_MASK, OP_OPT } from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import { EVENT_FORMS } from './event-forms.ts';
import { hasFacts } from './header-lines.ts';

/** The version of the format that it takes to say what the buffer says: 1 unless it has something that came with 2. */
export function versionOf(events: EventBuffer): 1 | 2 {
  const { head, slot, length, marks, sites, frames, observations, recorded } = events;
  if (marks.rows.length > 0 || sites || frames.length > 1 || observations.length > 0 || hasFacts(recorded)) return 2;
  if (EVENT_FORMS.some(({ op, version }) => version === 2 && hasOperation(events, op))) return 2;
  if (!hasOperation(events, OP_OPT)) return 1;
  for (let row = 0; row < length; row++) {
    if ((head[row]! & OP_MASK) === OP_OPT && MALLOPT_NAMES[slot[row]!] === 'memory_limit') return 2;
  }
  return 1;
}
