import { type EventBuffer, isAllocating, OP_EFREE, OP_FREE, OP_MASK } from '../../../../sim/contract/event.ts';
import { OPERATIONS } from '../../../../sim/contract/operations.ts';
import { type Ns, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { inPieces } from '../../../../sim/replay/row-pieces.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE } from '../../../../sim/time/costs.ts';
import type { RunOptions } from '../../../run/run-options.ts';

/** The price of a run in file order: what it was counted to have done, times the price list. Locks and waits are not in it. */
export type PriceOf = (counts: Readonly<Record<string, number>>) => Ns;

/** `callsNs`: what all calls cost where their threads' caches serve them. */
export function createPricing(options: RunOptions, callsNs: Ns): PriceOf {
  const list = listOf(options);
  return (counts) => OPERATIONS.reduce((sum, name) => sum + counts[name]! * list.operations[name], callsNs);
}

/** Of one call whose counts these are, where no cache has what it goes through: each chunk that it merges or moves is looked at in memory. */
export function priceOfColdCall(options: RunOptions, counts: Readonly<Record<string, number>>): Ns {
  const { operations } = listOf(options);
  const looks = counts['coalesces']! + counts['listInserts']!;
  return createPricing(options, looks * operations.binScanSteps)(counts);
}

const listOf = ({ costs }: RunOptions): Costs => costs ?? COST_PROFILES[DEFAULT_PROFILE]!;

/**
 * What a page fault costs beyond its count: a block that the program fills is written more slowly on a page that was just cleared.
 */
export function priceOfFreshPage(options: RunOptions): Ns {
  const { fillRateCleared, fillRateL2 } = listOf(options);
  const isFilled = (options.touch ?? options.events.touch) === 'full';
  return isFilled ? PAGE_BYTES * Math.max(0, 1 / fillRateCleared - 1 / fillRateL2) : 0;
}

/** Of the first `end` events, as if each call were served by its thread's cache, whatever the options: what took longer is counted. */
export function priceOfCalls(options: RunOptions, end: number): Ns {
  const costs = listOf(options);
  const isJemalloc = options.spec.model.name === 'jemalloc';
  const mallocNs = isJemalloc ? costs.jemallocMallocNs : costs.mallocNs;
  const freeNs = isJemalloc ? costs.jemallocFreeNs : costs.freeNs;
  const priceOf = (op: number): Ns => {
    if (isAllocating(op)) return costs.eventNs + mallocNs;
    return op === OP_FREE || op === OP_EFREE ? costs.eventNs + freeNs : costs.eventNs;
  };
  return countOperations(options.events, end).reduce((sum, count, op) => sum + count * priceOf(op), 0);
}

/** Of the first `end` events, by operation. */
function countOperations({ head }: EventBuffer, end: number): Float64Array {
  const mask = OP_MASK; // an imported constant is loaded and checked at every use
  const counts = new Float64Array(mask + 1);
  const count = (from: number, to: number) => {
    for (let row = from; row < to; row++) counts[head[row]! & mask]!++;
  };
  inPieces(end, count);
  return counts;
}
