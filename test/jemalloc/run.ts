import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { eventsFrom, observedRun, unpackedFixture } from '../helpers/observed-run.ts';

export { eventsFrom } from '../helpers/observed-run.ts';

export const fixture = (name: string) => unpackedFixture('jemalloc', name);

export const jemallocRun = (events: EventBuffer, allocator = 'jemalloc', options: Partial<RunOptions> = {}) =>
  observedRun(events, allocator, options);

/** Runs a trace to its end and takes a last sample. */
export function runTrace(text: string, allocator = 'jemalloc', options: Partial<RunOptions> = {}) {
  const observed = jemallocRun(eventsFrom(text), allocator, options);
  observed.run.advance(Infinity);
  observed.run.sample('(end)', observed.run.row);
  return observed;
}
