import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { observedRun, unpackedFixture } from '../helpers/observed-run.ts';

export { eventsFrom } from '../helpers/observed-run.ts';

export const fixture = (name: string) => unpackedFixture('ptmalloc', name);

export const glibcRun = (events: EventBuffer, allocator = 'glibc', options: Partial<RunOptions> = {}) =>
  observedRun(events, allocator, options);
