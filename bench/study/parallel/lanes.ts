import { existsSync } from 'node:fs';
import type { Piscina } from 'piscina';
import { UserError } from '../../../sim/contract/assert.ts';
import { hasRoomForThreads } from '../../../workloads/files/address-space.ts';
import { type Executor, RunCrashed } from './executor.ts';
import type { OutcomeOf, Task } from './task.ts';
import { retire, startThread, threadFile } from './thread.ts';
import type { TaskOutcome } from './worker.ts';

const WORKER = threadFile('parallel/worker');

/** Whether there are built files to start threads from, and room for threads. */
export const hasThreads = (): boolean => existsSync(WORKER) && hasRoomForThreads();

/**
 * A worker that has executed so many events gets no further task: the second machine that it builds makes the host's compiler give up what
 * it knew of the first one, and the same run takes 1.5 to 2 times as long. A new worker costs a tenth of a second.
 */
const WORN_EVENTS = 1e6;

interface Lane {
  pool: Piscina<Task, TaskOutcome>;
  executed: number;
}

const createPool = () => startThread<Task, TaskOutcome>(WORKER);

export interface LaneOptions {
  readonly signal?: AbortSignal | undefined;
  /** Threads that start at once. */
  readonly started?: number;
}

/** Threads of this process, each with one run at a time; they start when they are needed. */
export function createLanes(width: number, { signal, started = 0 }: LaneOptions = {}): Executor {
  const lanes: Lane[] = Array.from({ length: started }, () => ({ pool: createPool(), executed: 0 }));
  const idle: Lane[] = [...lanes];
  const retired: Promise<void>[] = [];

  function takeLane(): Lane {
    const lane = idle.pop();
    if (lane) return lane;
    const fresh: Lane = { pool: createPool(), executed: 0 };
    lanes.push(fresh);
    return fresh;
  }

  function renew(lane: Lane): void {
    retired.push(retire(lane.pool));
    lane.pool = createPool();
    lane.executed = 0;
  }

  return {
    width,
    async execute<T extends Task>(task: T): Promise<OutcomeOf<T>> {
      const lane = takeLane();
      const events = ('events' in task ? task.events?.length : undefined) ?? WORN_EVENTS;
      if (lane.executed > 0 && lane.executed + events > WORN_EVENTS) renew(lane);
      lane.executed += events;
      try {
        const outcome = await lane.pool.run(task, signal ? { signal } : {});
        if ('userError' in outcome) throw new UserError(outcome.userError);
        return outcome.run as OutcomeOf<T>;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
        throw new RunCrashed('found too little memory on this machine for so large a run');
      } finally {
        idle.push(lane);
      }
    },
    close: async () => {
      await Promise.all([...retired, ...lanes.map((lane) => retire(lane.pool))]);
    },
  };
}
