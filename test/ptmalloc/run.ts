import type { SessionOptions } from '../../bench/run/session.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { recordingSession, unpackedFixture } from '../helpers/recording-session.ts';

export { eventsFrom } from '../helpers/recording-session.ts';

export const fixture = (name: string) => unpackedFixture('ptmalloc', name);

export const glibcSession = (events: EventBuffer, allocator = 'glibc', options: Partial<SessionOptions> = {}) =>
  recordingSession(events, allocator, options);
