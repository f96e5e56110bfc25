import { runThreads } from './modes/threads.ts';
import { runVirtual } from './modes/virtual.ts';
import type { RunResult } from './result.ts';
import { runLockstep, type SessionOptions } from './session.ts';

/** Runs to the end in the mode that the options name. */
export function runSession(options: SessionOptions): Promise<RunResult> {
  if (options.mode === 'virtual') return runVirtual(options);
  return options.mode === 'threads' ? runThreads(options) : runLockstep(options);
}
