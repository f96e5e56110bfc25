import type { RunResult } from './result.ts';
import type { RunOptions } from './run-options.ts';

/** Runs to the end in the mode that the options name. Only that mode is loaded. */
export async function runInMode(options: RunOptions): Promise<RunResult> {
  switch (options.mode) {
    case 'virtual':
      return (await import('./modes/virtual.ts')).runVirtual(options);
    case 'threads':
      return (await import('./modes/threads.ts')).runThreads(options);
    default:
      return (await import('./modes/lockstep.ts')).runLockstep(options);
  }
}
