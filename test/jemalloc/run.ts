import type { SessionOptions } from '../../bench/run/session.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { eventsFrom, recordingSession, unpackedFixture } from '../helpers/recording-session.ts';

export { eventsFrom } from '../helpers/recording-session.ts';

export const fixture = (name: string) => unpackedFixture('jemalloc', name);

export const jemallocSession = (events: EventBuffer, allocator = 'jemalloc', options: Partial<SessionOptions> = {}) =>
  recordingSession(events, allocator, options);

/** Runs a trace to its end and takes a last sample. */
export function runTrace(text: string, allocator = 'jemalloc', options: Partial<SessionOptions> = {}) {
  const run = jemallocSession(eventsFrom(text), allocator, options);
  run.session.advance(Infinity);
  run.session.sample('(end)', run.session.row);
  return run;
}
