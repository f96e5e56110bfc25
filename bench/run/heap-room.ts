import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { UserError } from '../../sim/contract/assert.ts';
import { bytes } from '../../sim/contract/format.ts';

/** Node ends itself where its heap is full, and nobody can catch that; what is written of the same at the end needs the other half. */
const SHARE_FOR_RESULTS = 0.5;

/** Refuses to keep more where half of Node's heap is used; `found` says what there is so much of. */
export function checkHeapRoom(found: () => string): void {
  if (!isHeapUsed(SHARE_FOR_RESULTS)) return;
  const limit = bytes(getHeapStatistics().heap_size_limit);
  throw new UserError(
    `found ${found()}, expected fewer: they fill half of Node's ${limit} (NODE_OPTIONS=--max-old-space-size)`,
  );
}

/** Whether more than a share of the heap is used, by what is still needed: near the limit garbage is collected first. */
export function isHeapUsed(share: number): boolean {
  const isBeyond = () => {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return used > limit * share;
  };
  if (!isBeyond()) return false;
  collectGarbage();
  return isBeyond();
}

let gc: (() => void) | undefined;

/** Node has no call for it: it is there for contexts that are made while the flag is set. */
function collectGarbage(): void {
  if (!gc) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  gc();
}
