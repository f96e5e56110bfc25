import { getHeapStatistics } from 'node:v8';
import { UserError } from '../../sim/contract/assert.ts';

/** Node ends itself where its heap is full, and nobody can catch that; what is written of the same at the end needs the other half. */
const SHARE_FOR_RESULTS = 0.5;

/** Refuses to keep more where half of Node's heap is used; `found` says what there is so much of. */
export function checkHeapRoom(found: () => string): void {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  if (used <= limit * SHARE_FOR_RESULTS) return;
  const mib = Math.floor(limit / 2 ** 20);
  throw new UserError(
    `found ${found()}, expected fewer: they fill half of Node's ${mib} MiB (NODE_OPTIONS=--max-old-space-size)`,
  );
}
