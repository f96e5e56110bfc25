import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Piscina } from 'piscina';
import { UserError } from '../../../sim/contract/assert.ts';
import { operationSet } from '../../../sim/contract/operation-set.ts';
import { hasRoomForThreads } from '../../../workloads/files/address-space.ts';
import { chooseTask } from './choose-task.ts';
import type { Expected } from './execute-task.ts';
import { type Executor, RunCrashed } from './executor.ts';
import { createInline } from './inline.ts';
import type { OutcomeOf, Task, TaskOptions } from './task.ts';
import { shapeOf } from './task-shape.ts';
import { endThread, retire, runInThread, startThread, threadFile } from './thread.ts';
import type { SentTask, TaskOutcome } from './worker.ts';

const WORKER = threadFile('parallel/worker');

/** Whether there are built files to start threads from, and room for threads. */
export const hasThreads = (): boolean => existsSync(WORKER) && hasRoomForThreads();

/**
 * A run of so many events gets a thread that has executed nothing else: the second machine that a thread builds makes the host's compiler give
 * up what it knew of the first one, and the same run takes 1.3 to 2 times as long. A new thread costs a tenth of a second and begins cold:
 * equal at 20 million events, and more than that is worth for shorter ones (docs/results/speed.md).
 */
const LONG_EVENTS = 3e7;
/**
 * So does one of so many in virtual time (0.7 s instead of 0.9 to 1.9 at 2 M events, equal at 1 M), and one whose machine others may use after it: in a thread
 * that has had another, each of those takes longer too.
 */
const LONG_KEPT_EVENTS = 1.5e6;

/**
 * Beside those that are at work, threads that wait with a machine for another run of its shape: the orders of threads that `explain` compares have
 * three shapes.
 */
const LANES_MAX = 2;
/** … while a machine is small: in virtual time it has a table of all events, 16 bytes each. */
const WAITING_EVENTS_MAX = 5e6;

interface Lane {
  /** Undefined: this thread. */
  pool: Piscina<SentTask, TaskOutcome> | undefined;
  hasExecuted: boolean;
  /** Of the machine that it keeps. */
  shape: string | undefined;
  /** When it came to the end of its last run. */
  idleSinceMs: number;
}

/** Looking at 50 million rows takes 0.1 s. */
const sent = (task: Task, shape: string | undefined): SentTask => ({
  task,
  shape,
  operations: 'events' in task && task.events ? operationSet(task.events) : undefined,
});

/** Undefined where nobody knows before it is executed. */
function lengthOf(task: Task): number | undefined {
  if ('file' in task) return task.file?.rows;
  return 'events' in task ? task.events?.length : undefined;
}

const isSmall = (events: number | undefined): boolean => events !== undefined && events <= WAITING_EVENTS_MAX;

const isVirtual = (task: Task): boolean => 'mode' in task && task.mode === 'virtual';

/** Threads that nobody has taken yet, the next one last. */
const ahead: Piscina<SentTask, TaskOutcome>[] = [];
const createPool = () => ahead.pop() ?? startThread<SentTask, TaskOutcome>(WORKER);

/** Starts threads while this one has other work, each with the code for what it will be asked for; lanes take them in this order. */
export function startAhead(tasks: readonly Expected[]): void {
  if (!hasThreads()) return;
  for (const expected of tasks.toReversed()) ahead.push(startThread<SentTask, TaskOutcome>(WORKER, { expected }));
}

export interface LaneOptions extends TaskOptions {
  /** Threads that start at once. */
  readonly started?: number;
  /** This thread takes runs too, once all that have started are at work: it need not start first. */
  readonly usesOwn?: boolean;
}

/** This thread has the process's memory to lose: a run of more events, or of unknown ones, is left to others where there are several. */
const OWN_EVENTS_MAX = 5e7;

/** Threads of this process, each with one run at a time; they start when they are needed. */
export function createLanes(width: number, { started = 0, usesOwn = false, ...options }: LaneOptions = {}): Executor {
  const { signal } = options;
  /** This thread makes all runs, but for long ones that want another. */
  const isAlone = usesOwn && width === 1;
  const createLane = (pool: Lane['pool']): Lane => ({
    pool,
    hasExecuted: false,
    shape: undefined,
    idleSinceMs: 0,
  });
  const lanes = Array.from({ length: started }, () => createLane(createPool()));
  const idle = [...lanes];
  if (usesOwn) idle.unshift(createLane(undefined));
  const inline = createInline(options);
  const retired: Promise<void>[] = [];

  /** One that keeps a machine of the shape, one that has executed nothing, a new one for what wants that; else whichever is missed least. */
  function takeLane(shape: string | undefined, events: number | undefined, task: Task): Lane {
    const best =
      (shape !== undefined && idle.findLast((lane) => lane.shape === shape)) ||
      idle.findLast((lane) => !lane.hasExecuted);
    const mayWait = isSmall(events) && lanes.length < LANES_MAX * width;
    const isNew = shape !== undefined && isLong(events, task, shape) && mayWait;
    const found = best || (isNew ? undefined : (idle.findLast((lane) => lane.shape === undefined) ?? idle[0]));
    if (found) {
      idle.splice(idle.indexOf(found), 1);
      return found;
    }
    const fresh = createLane(createPool());
    lanes.push(fresh);
    return fresh;
  }

  /** A thread that is new in place of one that is worn, or of this one. */
  function renew(lane: Lane): Piscina<SentTask, TaskOutcome> {
    if (lane.pool) retired.push(retire(lane.pool, lane.idleSinceMs));
    else lanes.push(lane);
    lane.pool = createPool();
    lane.hasExecuted = false;
    return lane.pool;
  }

  /** Whether the run, of unknown length where it is undefined, should have a thread of its own. */
  function wantsFresh(lane: Lane, events: number | undefined, task: Task, shape: string | undefined): boolean {
    if (!lane.hasExecuted || (shape !== undefined && lane.shape === shape)) return false;
    return isLong(events, task, shape);
  }

  function isLong(events: number | undefined, task: Task, shape: string | undefined): boolean {
    if (events === undefined) return !isAlone;
    return events >= (isVirtual(task) || shape !== undefined ? LONG_KEPT_EVENTS : LONG_EVENTS);
  }

  function takesHere(lane: Lane, known: number | undefined, task: Task, shape: string | undefined): boolean {
    if (lane.pool !== undefined || wantsFresh(lane, known, task, shape)) return false;
    return isAlone || (known !== undefined && known <= OWN_EVENTS_MAX);
  }

  return {
    width,
    order: {
      about(task) {
        const shape = shapeOf(task);
        const events = lengthOf(task);
        return { shape, isLong: isVirtual(task) && isLong(events, task, shape), isSmall: isSmall(events) };
      },
      choose: (waiting) =>
        chooseTask(waiting, {
          idle: idle.map((lane) => lane.shape),
          atWork: lanes.filter((lane) => !idle.includes(lane)).map((lane) => lane.shape),
          mayGrow: lanes.length < LANES_MAX * width,
        }),
    },
    async execute<T extends Task>(task: T, endBy?: (end: () => void) => void): Promise<OutcomeOf<T>> {
      const shape = shapeOf(task);
      const known = lengthOf(task);
      const lane = takeLane(shape, known, task);
      let isEnded = false;
      try {
        if (takesHere(lane, known, task, shape)) {
          lane.hasExecuted = true;
          lane.shape = shape;
          await setImmediate(); // the others get theirs before
          return await inline.execute(task);
        }
        const pool = lane.pool && !wantsFresh(lane, known, task, shape) ? lane.pool : renew(lane);
        lane.hasExecuted = true;
        lane.shape = shape;
        endBy?.(() => {
          isEnded = true;
          void endThread(pool);
        });
        const outcome = await runInThread(pool, sent(task, shape), signal);
        if ('userError' in outcome) throw new UserError(outcome.userError);
        return outcome.run as OutcomeOf<T>;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
        throw new RunCrashed('found too little memory on this machine for so large a run');
      } finally {
        lane.idleSinceMs = performance.now();
        if (isEnded) lanes.splice(lanes.indexOf(lane), 1);
        else idle.push(lane);
      }
    },
    close: async () => {
      const unused = ahead.splice(0).map((pool) => retire(pool));
      await Promise.all([
        ...unused,
        ...retired,
        ...lanes.map((lane) => lane.pool && retire(lane.pool, lane.idleSinceMs)),
      ]);
    },
  };
}
