import type { WaitingTask } from './choose-task.ts';
import type { OutcomeOf, Task } from './task.ts';

export interface TaskOrder {
  /** What is to be known of a task while it waits. Throws the user's mistake as a UserError. */
  about(task: Task): WaitingTask;
  /** The place of the one that is best made next, as things are when it is asked. */
  choose(waiting: readonly WaitingTask[]): number;
}

/** Where runs are made: threads of this process, or workers anywhere behind a queue. */
export interface Executor {
  /** Runs that it takes at a time. */
  readonly width: number;
  /**
   * One run. Throws the user's mistake as a UserError, RunCrashed where what executed it died of it, and anything where the
   * signal of the batch has come. `endBy` takes what ends this run at once, as long as that can be done: it throws then, and may be made again.
   */
  execute<T extends Task>(task: T, endBy?: (end: () => void) => void): Promise<OutcomeOf<T>>;
  /** Without it tasks are made in the order in which they come. */
  readonly order?: TaskOrder;
  close(): Promise<void>;
}

/** The process or thread that executed the run ended before the run did. */
export class RunCrashed extends Error {
  override readonly name = 'RunCrashed';
}
