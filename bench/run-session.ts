import type { RunResult } from '../sim/report/result.ts';
import { runVirtual } from './modes/virtual.ts';
import { runLockstep, type SessionOptions } from './session.ts';

/** Runs to the end in the mode that the options name. */
export function runSession(options: SessionOptions): Promise<RunResult> {
  return options.mode === 'virtual' ? runVirtual(options) : runLockstep(options);
}
