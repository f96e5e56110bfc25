import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { decodeOutcome, type JobData, type Outcome } from './job.ts';
import { ATTEMPTS, resultKey } from './names.ts';

export interface QueuedRun {
  /** Of what is to be done; the id of its job. */
  readonly key: string;
  /** Made when it is needed: thousands may wait. */
  readonly data: () => JobData;
}

export interface JobState {
  readonly key: string;
  /** `lost`: there is neither a job nor an outcome. */
  readonly state: 'waiting' | 'finished' | 'failed' | 'lost';
  /** Of a failure, as BullMQ has it. */
  readonly reason: string;
}

/** What the client asks of the queue and of the outcomes beside it. */
export interface RunQueue {
  /**
   * Queues the runs; a job of another client for the same run is shared. `resume`: runs with an outcome are not queued, and
   * their keys returned; otherwise outcomes of before are forgotten.
   */
  add(runs: readonly QueuedRun[], resume: boolean): Promise<string[]>;
  /** In the order of the keys. */
  outcomesOf(keys: readonly string[]): Promise<(Outcome | undefined)[]>;
  look(keys: readonly string[]): Promise<JobState[]>;
  /** Runs that nobody has begun are taken out of the queue. */
  takeBack(keys: readonly string[]): Promise<void>;
}

/** Jobs that one command adds or asks for. */
const SLICE = 256;

export function openRunQueue(bull: Queue, redis: Redis, prefix: string): RunQueue {
  async function addSlice(runs: readonly QueuedRun[], resume: boolean): Promise<string[]> {
    const asked = redis.pipeline();
    for (const { key } of runs) {
      if (resume) asked.exists(resultKey(prefix, key));
      else asked.del(resultKey(prefix, key));
      asked.hget(bull.toKey(key), 'finishedOn');
    }
    const answers = (await asked.exec())!;
    const has = (i: number) => resume && answers[2 * i]![1] === 1;
    const isOver = (i: number) => answers[2 * i + 1]![1] !== null; // a failure of before: a job of that name bars a new one
    const missing = runs.filter((_, i) => !has(i));
    await Promise.all(runs.filter((_, i) => !has(i) && isOver(i)).map(({ key }) => bull.remove(key)));
    await bull.addBulk(missing.map(({ key, data }) => ({ name: 'run', data: data(), opts: { jobId: key } })));
    return runs.filter((_, i) => has(i)).map(({ key }) => key);
  }

  async function lookAt(keys: readonly string[]): Promise<JobState[]> {
    const asked = redis.pipeline();
    // The job first: an outcome is there before its job goes.
    for (const key of keys)
      asked.hmget(bull.toKey(key), 'timestamp', 'finishedOn', 'failedReason').exists(resultKey(prefix, key));
    const answers = (await asked.exec())!;
    return keys.map((key, i) => {
      const [created, finishedOn, reason] = answers[2 * i]![1] as (string | null)[];
      const hasOutcome = answers[2 * i + 1]![1] === 1;
      const state = hasOutcome ? 'finished' : created === null ? 'lost' : finishedOn === null ? 'waiting' : 'failed';
      return { key, state, reason: reason ?? '' };
    });
  }

  return {
    add: async (runs, resume) => (await inSlices(runs, (slice) => addSlice(slice, resume))).flat(),
    async outcomesOf(keys) {
      const packed = await redis.mgetBuffer(keys.map((key) => resultKey(prefix, key)));
      return packed.map((bytes) => (bytes ? decodeOutcome(bytes) : undefined));
    },
    look: async (keys) => (await inSlices(keys, lookAt)).flat(),
    async takeBack(keys) {
      await inSlices(keys, (slice) => Promise.all(slice.map((key) => bull.remove(key).catch(() => 0))));
    },
  };
}

async function inSlices<T, R>(items: readonly T[], work: (slice: readonly T[]) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += SLICE) results.push(await work(items.slice(i, i + SLICE)));
  return results;
}

/** BullMQ's reason of a failure, for people. */
export function crashText(reason: string): string {
  const exit = /^Unexpected exit code: (\S+) signal: (\S+)/.exec(reason);
  if (exit) {
    const by = exit[2] === 'null' || exit[2] === 'undefined' ? `exit code ${exit[1]}` : exit[2];
    return `crashed its worker ${ATTEMPTS} times (${by}), given up`;
  }
  if (/stalled more than/.test(reason)) return 'lost its worker again and again, given up';
  return `failed ${ATTEMPTS} times (${reason.split('\n')[0]}), given up`;
}
