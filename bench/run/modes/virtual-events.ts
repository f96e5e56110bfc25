import {
  type EventBuffer,
  OP_BITS,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_MASK,
  type TraceSummary,
} from '../../../sim/contract/event.ts';
import type { RunOptions } from '../run-options.ts';

export const samplesOnTheWay = ({
  events,
  lastSampleOnly,
  sampleEvery = 0,
  sampleIdleNs = 0,
}: RunOptions<TraceSummary>): boolean =>
  lastSampleOnly !== true &&
  (sampleEvery > 0 || sampleIdleNs > 0 || events.labels.length > 0 || events.length === Infinity);

/** Whether a thread frees or resizes a block of another one’s request. */
export function strangersFree({
  length,
  head,
  slot,
  objectSlots,
  threadSlots,
  hasRequestEvents,
}: EventBuffer): boolean {
  if (!hasRequestEvents || threadSlots === 1) return false;
  const owner = new Int32Array(objectSlots);
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    const t = head[row]! >>> OP_BITS;
    if (op === OP_EMALLOC || op === OP_ECALLOC) owner[slot[row]!] = t;
    else if ((op === OP_EFREE || op === OP_EREALLOC) && owner[slot[row]!] !== t) return true;
  }
  return false;
}
