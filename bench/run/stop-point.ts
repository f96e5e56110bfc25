import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, OP_MASK, OP_SAMPLE } from '../../sim/contract/event.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';

/** So many names are told. */
const SUGGESTED = 20;

/**
 * The number of rows to execute so that `at` has just happened: a sample's label, `#N` for event N, or the end. `others` is what else
 * the reader may have meant.
 */
export function rowsUntil(events: EventBuffer, at: string | undefined, others: readonly string[] = []): number {
  if (at === undefined) return events.length;
  const number = /^#(\d+)$/.exec(at);
  if (number) {
    const row = Number(number[1]);
    if (row >= events.length)
      throw new UserError(`--at: there is no event ${row}, the last one is ${events.length - 1}`);
    return row + 1;
  }
  for (let row = 0; row < events.length; row++) {
    if ((events.head[row]! & OP_MASK) === OP_SAMPLE && events.labels[events.a[row]!] === at) return row + 1;
  }
  const known = [...others, '#N', ...new Set(events.labels)];
  throw new UserError(`--at: no sample point '${at}'${suggestion(at, known.slice(0, SUGGESTED))}`);
}
