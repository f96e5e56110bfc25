import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Job, Worker } from 'bullmq';
import { UserError } from '../../../sim/contract/assert.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { pluginFiles } from '../../run/plugin-files.ts';
import { buildIdentity } from '../parallel/build-identity.ts';
import { type EngineAddress, parseEngine } from './address.ts';
import { connectEngine, refusalOf, replyText } from './connection.ts';
import { type JobData, jobText } from './job.ts';
import { buildsKey, queueName } from './names.ts';
import { openStore } from './open-store.ts';
import { crashText } from './run-queue.ts';
import { type MetricsServer, serveMetrics } from './serve-metrics.ts';
import { CACHE_BYTES } from './trace-files.ts';
import { settingsEnvironment } from './worker-settings.ts';

export interface RunWorkerOptions {
  readonly engine: string;
  /** Runs at a time, each in a process of its own. */
  readonly concurrency: number;
  readonly store?: string;
  /** Folder for traces; default: in the user's cache. */
  readonly cache?: string;
  readonly cacheBytes?: Bytes;
  /** Where Prometheus may ask. */
  readonly metrics?: { readonly host: string | undefined; readonly port: number };
  /** Ends when there was nothing to do for so long. */
  readonly idleExitMs?: number;
  readonly signal: AbortSignal;
  /** Lines for people. */
  readonly onNote: (line: string) => void;
}

/** A worker that says nothing for so long is dead, and another one takes its run. */
const LOCK_MS = 15_000;
const STALLED_LOOK_MS = 3_000;
/** A worker that dies takes innocent runs along; one that takes so many workers along is not innocent. */
const STALLED_MAX = 10;
/** Minutes of figures for Prometheus. */
const METRICS_MINUTES = 24 * 60;
/** What is left of Ctrl-C's second for giving the runs back. */
const GIVE_BACK_MS = 500;
const IDLE_LOOK_MS = 200;

const PROCESSOR = new URL(
  import.meta.url.includes('/dist/') ? './execute-job.js' : '../../../dist/bench/study/engine/execute-job.js',
  import.meta.url,
);

/** Takes runs from the queue until the signal comes, or until it was idle for `idleExitMs`. */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { concurrency, store, cache, cacheBytes = CACHE_BYTES, signal, onNote } = options;
  if (!existsSync(PROCESSOR)) throw new Error(`${fileURLToPath(PROCESSOR)} is not built`);
  const address = parseEngine(options.engine);
  const redis = await connectEngine(address, onNote);
  openStore(store, redis, address.prefix); // a wrong one is said now, not with the first run
  const { Queue, Worker } = await import('bullmq');
  const threads = Math.max(1, Math.floor(availableParallelism() / concurrency));
  const settings = { engine: options.engine, store, cache, cacheBytes, plugins: pluginFiles(), threads };
  const shared = { connection: redis, prefix: address.prefix };
  const queue = new Queue(queueName(), shared);
  queue.on('error', () => {});
  const worker: Worker = new Worker(queueName(), PROCESSOR, {
    ...shared,
    concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_LOOK_MS,
    maxStalledCount: STALLED_MAX,
    metrics: { maxDataPoints: METRICS_MINUTES },
    workerForkOptions: { env: { ...process.env, ...settingsEnvironment(settings) }, serialization: 'json' },
  });
  worker.on('error', createErrorNote(address, onNote));
  let metrics: MetricsServer | undefined;
  try {
    metrics = options.metrics && (await serveMetrics(queue, options.metrics));
    await worker.waitUntilReady();
    await redis.sadd(buildsKey(address.prefix), buildIdentity());
    const asked = metrics ? `, metrics at http://${metrics.address}/metrics` : '';
    onNote(`allocsim ${buildIdentity()} takes runs from ${address.shown}, ${concurrency} at a time${asked}`);
    await untilOver(worker, options);
  } catch (error) {
    throw refusalOf(error, address);
  } finally {
    metrics?.close();
    if (!signal.aborted) await worker.close();
    redis.disconnect();
  }
}

/** What the server refuses is said when it changes; what becomes of the connection, the connection says. */
function createErrorNote({ shown }: EngineAddress, onNote: (line: string) => void): (error: Error) => void {
  let said = '';
  return (error) => {
    if (error.name !== 'ReplyError') return;
    const line = `${shown}: found ${replyText(error)}`;
    if (line !== said) onNote(line);
    said = line;
  };
}

/** Listens to the worker till the end; then its runs are back in the queue. */
async function untilOver(worker: Worker, { signal, idleExitMs = Infinity, onNote }: RunWorkerOptions): Promise<void> {
  const active = new Map<string, Job>();
  let idleSince = performance.now();
  const over = (job: Job | undefined) => {
    if (job?.id) active.delete(job.id);
    idleSince = performance.now();
  };
  worker.on('active', (job) => void active.set(job.id!, job));
  worker.on('completed', over);
  worker.on('failed', (job, error) => {
    over(job);
    const isTriedAgain = job !== undefined && job.attemptsMade < (job.opts.attempts ?? 1);
    onNote(`${nameOf(job)}: ${isTriedAgain ? `${error.message}; tried again` : crashText(error.message)}`);
  });
  worker.on('stalled', () => onNote('a run lost its worker; it is tried again'));
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (active.size === 0 && performance.now() - idleSince >= idleExitMs) end();
    }, IDLE_LOOK_MS);
    function end(): void {
      clearInterval(timer);
      resolve();
    }
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  if (signal.aborted) await giveBack(worker, [...active.values()]);
}

/** The runs of this worker wait again at once, and need not be missed first. */
async function giveBack(worker: Worker, jobs: readonly Job[]): Promise<void> {
  const given = worker.pause(true).then(() => Promise.all(jobs.map((job) => job.moveToWait(job.token).catch(() => 0))));
  await Promise.race([given, new Promise((resolve) => setTimeout(resolve, GIVE_BACK_MS))]);
}

function nameOf(job: Job<JobData> | undefined): string {
  return job ? jobText(job.data) : 'a run';
}

/** `[HOST:]PORT` */
export function parseListen(text: string): { host: string | undefined; port: number } {
  const [, host, port] = /^(?:(.*):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new UserError(`--metrics: found '${text}', expected [HOST:]PORT`);
  }
  return { host: host?.replace(/^\[(.*)\]$/, '$1') || undefined, port: Number(port) };
}
