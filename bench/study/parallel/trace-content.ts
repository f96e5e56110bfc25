import { createHash } from 'node:crypto';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { encodeHtb } from '../../../workloads/trace/binary-writer.ts';

const known = new WeakMap<EventBuffer, string>();

/** What a trace is, wherever it lies: the SHA-256 of its binary form, in hexadecimal. */
export function traceHash(events: EventBuffer): string {
  let hash = known.get(events);
  if (hash === undefined) {
    const sha = createHash('sha256');
    for (const part of encodeHtb(events)) sha.update(part);
    hash = sha.digest('hex');
    known.set(events, hash);
  }
  return hash;
}

export const hasTraceHash = (events: EventBuffer): boolean => known.has(events);

/** Of events that were read under this hash: they need not be looked at again. */
export function rememberTraceHash(events: EventBuffer, hash: string): void {
  known.set(events, hash);
}
