import type { QueueEvents } from 'bullmq';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { type Executor, RunCrashed } from '../parallel/executor.ts';
import { describeTask, eventsWith, runKey } from '../parallel/run-key.ts';
import type { OutcomeOf, Task } from '../parallel/task.ts';
import { traceHash } from '../parallel/trace-content.ts';
import { parseEngine } from './address.ts';
import { connectEngine, refusalOf } from './connection.ts';
import { type Outcome, taskData } from './job.ts';
import { JOB_OPTIONS, queueName } from './names.ts';
import { openStore } from './open-store.ts';
import { crashText, type JobState, openRunQueue, type QueuedRun, type RunQueue } from './run-queue.ts';
import { openTraceFiles } from './trace-files.ts';
import { createWorkerWatch } from './worker-watch.ts';

export interface QueueOptions {
  readonly engine: string;
  readonly store?: string;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  /** Lines about the engine: a lost connection, nobody who works. */
  readonly onNote?: (line: string) => void;
}

/** Jobs of one client that wait or run at a time: what is beyond stays with the client, and costs neither side memory. */
const WINDOW = 1024;
/** Events tell at once what became of a run; so often it is looked at whether one was missed. */
const LOOK_MS = 3000;
const OUTCOMES_AT_ONCE = 16;
/** What is left of Ctrl-C's second for taking back what nobody will ask for. */
const TAKE_BACK_MS = 300;
/** A server that does not answer any more need not say good-bye. */
const CLOSE_MS = 400;

type Finished = OutcomeOf<Task>;

interface Waiting {
  readonly queued: QueuedRun;
  readonly resolve: (outcome: Finished) => void;
  readonly reject: (error: unknown) => void;
  readonly result: Promise<Finished>;
  /** It is in the queue, or was; before, there is nothing to look for. */
  isAdded: boolean;
}

/**
 * Runs made by whoever works behind a queue. BullMQ has the queue, the retries and the jobs whose worker died; here is only
 * who waits for which run:
 *
 *     execute ─▶ added (unless finished before) ─▶ event, or a look every LOOK_MS ─▶ outcome under the run's key
 *                   ▲                                                        │
 *                   └────────── the server lost the job (a crash of its) ◀───┘
 */
export async function createQueueExecutor(options: QueueOptions): Promise<Executor> {
  const { resume = false, signal, onNote = () => {} } = options;
  const address = parseEngine(options.engine);
  const redis = await connectEngine(address, onNote, { enableAutoPipelining: true });
  const store = openStore(options.store, redis, address.prefix);
  const files = openTraceFiles(store);
  const { Queue, QueueEvents } = await import('bullmq');
  const shared = { connection: redis, prefix: address.prefix };
  const bull = new Queue(queueName(), { ...shared, defaultJobOptions: JOB_OPTIONS });
  // From what is there now on: nothing is missed that happens before it listens.
  const [latest] = await redis.xrevrange(bull.toKey('events'), '+', '-', 'COUNT', 1);
  const events: QueueEvents = new QueueEvents(queueName(), { ...shared, lastEventId: latest?.[0] ?? '0-0' });
  // The connection tells what happens to it.
  bull.on('error', () => {});
  events.on('error', () => {});
  const stop = aborted(signal);
  stop.catch(() => {});
  await Promise.race([Promise.all([bull.waitUntilReady(), events.waitUntilReady()]), stop]);
  const queue: RunQueue = openRunQueue(bull, redis, address.prefix);

  const waiting = new Map<string, Waiting>();
  const offers = new Map<string, Promise<void>>();
  const offered = new Set<string>();
  const times = new Map<string, number>();
  let fresh: Waiting[] = [];
  const over: string[] = [];

  /** Runs on threads of the host come out differently each time: the second one is no copy of the first. */
  function keyOf(task: Task, key: string): string {
    if (!('mode' in task) || task.mode !== 'threads') return key;
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return before === 0 ? key : `${key}-${before}`;
  }

  /** Once for all runs of a trace. */
  async function offer(hash: string, trace: EventBuffer): Promise<void> {
    const offering = offers.get(hash) ?? files.offer(hash, trace);
    offers.set(hash, offering);
    await Promise.race([offering, stop]).catch((error: unknown) => {
      throw refusalOf(error, address);
    });
    offered.add(hash);
  }

  function wait(queued: QueuedRun): Waiting {
    const { promise, resolve, reject } = withResolvers<Finished>();
    const one: Waiting = { queued, resolve, reject, result: promise, isAdded: false };
    promise.catch(() => {}); // whoever executes hears of it; nobody does when the batch has ended
    waiting.set(queued.key, one);
    if (fresh.push(one) === 1) setImmediate(() => add().catch(fail));
    return one;
  }

  async function outcomeOf(queued: QueuedRun): Promise<Finished> {
    if (signal?.aborted) throw new Interrupted('interrupted');
    return (waiting.get(queued.key) ?? wait(queued)).result;
  }

  async function add(): Promise<void> {
    const added = fresh;
    fresh = [];
    const finished = await queue.add(
      added.map((one) => one.queued),
      resume,
    );
    for (const one of added) one.isAdded = true;
    settle(finished);
  }

  function fail(thrown: unknown): void {
    const error = refusalOf(thrown, address);
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  }

  /** Takes the outcomes of runs that are over; a few at a time, for thousands may be over at once. */
  function settle(keys: readonly string[]): void {
    const isIdle = over.length === 0;
    for (const key of keys) if (waiting.has(key)) over.push(key);
    if (isIdle && over.length > 0) takeOutcomes().catch(fail);
  }

  async function takeOutcomes(): Promise<void> {
    while (over.length > 0) {
      const keys = over.slice(0, OUTCOMES_AT_ONCE);
      const outcomes = await queue.outcomesOf(keys);
      for (const [i, key] of keys.entries()) takeOutcome(key, outcomes[i]);
      over.splice(0, keys.length);
    }
  }

  function takeOutcome(key: string, outcome: Outcome | undefined): void {
    const one = waiting.get(key);
    if (!one || !outcome) return; // the next look sees why there is none
    waiting.delete(key);
    if ('run' in outcome) one.resolve(outcome.run);
    else if ('userError' in outcome) one.reject(new UserError(outcome.userError));
    else one.reject(new Error(`in a worker: ${outcome.internalError}`));
  }

  async function look(keys: readonly string[]): Promise<void> {
    const lost: QueuedRun[] = [];
    for (const state of await queue.look(keys)) take(state, lost);
    if (lost.length > 0) await queue.add(lost, true);
  }

  function take({ key, state, reason }: JobState, lost: QueuedRun[]): void {
    const one = waiting.get(key);
    if (!one) return;
    if (state === 'finished') settle([key]);
    else if (state === 'lost') lost.push(one.queued);
    else if (state === 'failed' && waiting.delete(key)) one.reject(new RunCrashed(crashText(reason)));
  }

  let looking: Promise<void> = Promise.resolve();
  let isLooking = false;
  const watch = createWorkerWatch(bull, redis, address, onNote);
  const timer = setInterval(() => {
    if (isLooking || waiting.size === 0) return;
    isLooking = true;
    looking = look([...waiting].flatMap(([key, { isAdded }]) => (isAdded ? [key] : [])))
      .then(() => watch.look())
      .catch(() => {}) // the next look sees what this one did not
      .finally(() => {
        isLooking = false;
      });
  }, LOOK_MS);
  events.on('active', () => watch.atWork());
  events.on('completed', ({ jobId }) => settle([jobId]));
  events.on('failed', ({ jobId }) => void (waiting.has(jobId) && look([jobId]).catch(fail)));
  let left: string[] = [];
  const onAbort = () => {
    left = [...waiting.keys()];
    fail(new Interrupted('interrupted'));
  };
  signal?.addEventListener('abort', onAbort, { once: true });

  return {
    width: WINDOW,
    async execute<T extends Task>(task: T) {
      const described = describeTask(task);
      const key = keyOf(task, runKey(described));
      for (const events of eventsWith(task)) {
        const hash = traceHash(events);
        if (!offered.has(hash)) await offer(hash, events);
      }
      return (await outcomeOf({ key, data: () => taskData(described) })) as OutcomeOf<T>;
    },
    async close() {
      clearInterval(timer);
      signal?.removeEventListener('abort', onAbort);
      left.push(...waiting.keys());
      const closing = events.close().catch(() => {});
      if (left.length > 0) await Promise.race([queue.takeBack(left), pause(TAKE_BACK_MS)]).catch(() => {});
      // Whoever pressed Ctrl-C waits for what had finished, and not for connections.
      if (!signal?.aborted) await Promise.race([Promise.all([looking, closing]), pause(CLOSE_MS)]);
      redis.disconnect();
    },
  };
}

/** Rejects when the signal comes; else it never ends. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = () => reject(new Interrupted('interrupted'));
    if (signal?.aborted) refuse();
    signal?.addEventListener('abort', refuse, { once: true });
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** Promise.withResolvers of Node 22. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
