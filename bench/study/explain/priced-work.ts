import { type EventBuffer, isAllocating, OP_EFREE, OP_FREE, OP_MASK } from '../../../sim/contract/event.ts';
import { OPERATIONS } from '../../../sim/contract/operations.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE } from '../../../sim/time/costs.ts';
import type { RunOptions } from '../../run/run-options.ts';

/** The price of a run in file order: what it was counted to have done, times the price list. Locks and waits are not in it. */
export type PriceOf = (counts: Readonly<Record<string, number>>) => Ns;

/** `callsNs`: what all calls cost where their threads' caches serve them. */
export function createPricing(options: RunOptions, callsNs: Ns): PriceOf {
  const list = listOf(options);
  return (counts) => OPERATIONS.reduce((sum, name) => sum + counts[name]! * list.operations[name], callsNs);
}

const listOf = ({ costs }: RunOptions): Costs => costs ?? COST_PROFILES[DEFAULT_PROFILE]!;

/** Of the first `end` events, as if each call were served by its thread's cache, whatever the options: what took longer is counted. */
export function priceOfCalls(options: RunOptions, end: number): Ns {
  const costs = listOf(options);
  const isJemalloc = options.spec.model.name === 'jemalloc';
  const { head }: EventBuffer = options.events;
  const mallocNs = isJemalloc ? costs.jemallocMallocNs : costs.mallocNs;
  const freeNs = isJemalloc ? costs.jemallocFreeNs : costs.freeNs;
  let ns = 0;
  for (let row = 0; row < end; row++) {
    const op = head[row]! & OP_MASK;
    ns += costs.eventNs;
    if (isAllocating(op)) ns += mallocNs;
    else if (op === OP_FREE || op === OP_EFREE) ns += freeNs;
  }
  return ns;
}
