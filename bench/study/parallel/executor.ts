import type { OutcomeOf, Task } from './task.ts';

/** Where runs are made: threads of this process, or workers anywhere behind a queue. */
export interface Executor {
  /** Runs that it takes at a time. */
  readonly width: number;
  /**
   * One run. Throws the user's mistake as a UserError, RunCrashed where what executed it died of it, and anything where the
   * signal of the batch has come.
   */
  execute<T extends Task>(task: T): Promise<OutcomeOf<T>>;
  close(): Promise<void>;
}

/** The process or thread that executed the run ended before the run did. */
export class RunCrashed extends Error {
  override readonly name = 'RunCrashed';
}
