import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, OP_CLOCK, OP_EXIT, OP_FORK, OP_MASK, OP_REQUEST_END } from '../../sim/contract/event.ts';

/** Rows [from, to) of a trace, and when they ran: times are the recording's, from the start of the master. */
export interface RecordedPart {
  readonly from: number;
  readonly to: number;
  readonly startUs: number;
  readonly endUs: number;
}

/** A recorded worker's trace in parts. */
export interface RecordedParts {
  readonly events: EventBuffer;
  /** Row behind the fork: before it is what the master did. */
  readonly forkedAt: number;
  readonly bornUs: number;
  /** Infinity: it did not exit. */
  readonly endUs: number;
  /** Row at which it begins to wait for its first request. */
  readonly readyAt: number;
  readonly requests: readonly RecordedPart[];
}

/**
 * Cuts a worker's trace where it waits for a request: at the longest pause behind the fork, and behind each end of a PHP request (`ee`).
 * What a worker prepares for the next request before it waits belongs to the one before, so that between parts it is as it is at rest.
 *
 *   fork ── prepares ──┊ request ─ ee ─ prepares ──┊ request ─ ee ─ prepares ──┊ exit
 *
 * @throws UserError where the trace has no fork.
 */
export function recordedParts(events: EventBuffer, from: string): RecordedParts {
  const { head, a, b, length } = events;
  let ns = 0;
  let forkedAt = -1;
  let bornUs = 0;
  let endUs = Infinity;
  let waits: Pause[] = [];
  let longest: Pause | undefined;
  for (let row = 0; row < length && endUs === Infinity; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_CLOCK) {
      const step = b[row]! * 2 ** 32 + a[row]!;
      if (!longest || step > longest.toNs - longest.fromNs) longest = { row, fromNs: ns, toNs: ns + step };
      ns += step;
    } else if (op === OP_FORK) {
      forkedAt = row + 1;
      bornUs = ns / 1e3;
      waits = [];
      longest = undefined;
    } else if (op === OP_EXIT) endUs = ns / 1e3;
    else if (op === OP_REQUEST_END) {
      waits.push(longest ?? { row, fromNs: ns, toNs: ns });
      longest = undefined;
    }
  }
  if (forkedAt < 0)
    throw new UserError(`${from}: found no fork, expected the trace of a worker that its master forked`);
  waits.push(longest ?? { row: length, fromNs: ns, toNs: ns });
  const requests = waits.slice(0, -1).map(({ row, toNs }, i): RecordedPart => {
    const next = waits[i + 1]!;
    return { from: row, to: next.row, startUs: toNs / 1e3, endUs: next.fromNs / 1e3 };
  });
  return { events, forkedAt, bornUs, endUs, readyAt: waits[0]!.row, requests };
}

/** A step of the clock. */
interface Pause {
  readonly row: number;
  readonly fromNs: number;
  readonly toNs: number;
}
