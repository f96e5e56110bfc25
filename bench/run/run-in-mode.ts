import { assert } from '../../sim/contract/assert.ts';
import { type EventBuffer, isPassing, type PassingTrace } from '../../sim/contract/event.ts';
import type { RunResult } from './result.ts';
import type { RunOptions } from './run-options.ts';

/** Runs to the end in the mode that the options name. Only that mode and the model are loaded. Real threads need all rows. */
export async function runInMode(options: RunOptions<EventBuffer | PassingTrace>): Promise<RunResult> {
  const { events } = options;
  switch (options.mode) {
    case 'virtual':
      return (await import('./modes/virtual.ts')).runVirtual(options);
    case 'threads':
      assert(!isPassing(events), 'real threads were given a trace that passes');
      return (await import('./modes/threads.ts')).runThreads({ ...options, events });
    default:
      return (await import('./modes/lockstep.ts')).runLockstep(options);
  }
}
