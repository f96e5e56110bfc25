import { bytes, count, percent } from '../../sim/contract/format.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import type { PoolFigures } from './figures.ts';
import type { Limit } from './limits.ts';
import { besideOf, ownBytes } from './pool-ceiling.ts';

/** What replacing workers keeps a climbing pool to. */
export interface RecyclingCeiling {
  /** With all of them in the request that adds most. */
  readonly bytes: number;
  readonly text: string;
}

/** Undefined: workers are not replaced, or no run shows what they come to before. */
export function recyclingCeiling(pool: PoolFigures, file: PoolFile, limit: Limit): RecyclingCeiling | undefined {
  const kept = keptUntilReplaced(pool, file);
  if (!kept) return undefined;
  const besideBytes = besideOf(pool, limit);
  const children = file.pm.max_children;
  const whole = besideBytes + children * (ownBytes(pool, file) + kept.heapBytes + pool.requestAddsBytes);
  const share = whole > limit.bytes ? 'more than' : `${percent(whole / limit.bytes)} of`;
  return {
    bytes: whole,
    text: `Its ceiling is ${bytes(whole)}: ${kept.text(children)}, to which a request adds ${bytes(pool.requestAddsBytes)} at most, and ${bytes(besideBytes)} are beside them. That is ${share} ${limit.what} (${bytes(limit.bytes)}).`,
  };
}

function keptUntilReplaced({ heapKeptBytes, mostServed }: PoolFigures, { pm, recycle }: PoolFile) {
  const size = recycle === undefined ? undefined : sizeBytes(recycle)!;
  if (size !== undefined)
    return {
      heapBytes: size,
      text: (children: number) =>
        `recycle replaces each of ${count(children)} workers whose heap is beyond ${bytes(size)} behind a request`,
    };
  if (pm.max_requests === 0 || mostServed < pm.max_requests) return undefined;
  return {
    heapBytes: heapKeptBytes,
    text: (children: number) =>
      `max_requests replaces each of ${count(children)} workers behind ${count(pm.max_requests)} requests, and until then a heap came to ${bytes(heapKeptBytes)}`,
  };
}

/** Of a pool without a ceiling that is known. */
export function noCeilingText({ mostServed }: PoolFigures, { pm }: PoolFile, isBelow: boolean): string {
  if (pm.max_requests > 0)
    return `Its ceiling is what a worker has after ${count(pm.max_requests)} requests (max_requests), which this run does not show: a worker served ${count(mostServed)} at most.`;
  return `${isBelow ? 'Recycling' : 'Without a limit of its own it has no ceiling: recycling'} workers (max_requests) gives the memory back.`;
}

/** Whether most of a rise is that of workers that are replaced before they grow without end. */
export const isOfRecycled = (pool: PoolFigures, { pm, recycle }: PoolFile, riseBytes: number): boolean =>
  (recycle !== undefined || (pm.max_requests > 0 && pool.mostServed >= pm.max_requests)) &&
  pool.isClimbing &&
  pool.privateBytes.kept.riseBytes > 0.5 * riseBytes;
