import type { OutcomeOf, Task } from './task.ts';

/** Where runs are made: threads of this process, or workers anywhere behind a queue. */
export interface Executor {
  /** Runs that it takes at a time. */
  readonly width: number;
  /**
   * One run. Throws the user's mistake as a UserError, RunCrashed where what executed it died of it, and anything where the
   * signal of the batch has come. `endBy` takes what ends this run at once, as long as that can be done: it throws then, and may be made again.
   */
  execute<T extends Task>(task: T, endBy?: (end: () => void) => void): Promise<OutcomeOf<T>>;
  /** What is highest is made first, as things are when it is asked. Without it the order is of no account. */
  rankOf?(task: Task): () => number;
  close(): Promise<void>;
}

/** The process or thread that executed the run ended before the run did. */
export class RunCrashed extends Error {
  override readonly name = 'RunCrashed';
}
