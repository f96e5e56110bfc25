import './end-with-parent.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { RunCrashed } from '../parallel/executor.ts';
import { createLanes } from '../parallel/lanes.ts';
import { canonicalPlain, decodePlain } from '../parallel/plain-json.ts';
import type { DescribedRun, DescribedTask } from '../parallel/run-key.ts';
import type { Task } from '../parallel/task.ts';
import { parseEngine } from './address.ts';
import { connectEngine } from './connection.ts';
import { encodeOutcome, type JobData, type Outcome } from './job.ts';
import { KEPT_SECONDS, resultKey } from './names.ts';
import { openStore } from './open-store.ts';
import { openTraceFiles } from './trace-files.ts';
import { readSettings } from './worker-settings.ts';

/*
 * A process of its own, one run at a time, started by BullMQ: a run that takes its process along leaves the worker alive, which
 * counts it. The run itself is on a thread, so that this one hears when the worker ends.
 */

/** Traces that are kept in memory, the last one in any case. */
const MEMORY_BYTES: Bytes = 256 * 2 ** 20;
/** Columns of a row. */
const ROW_BYTES = 16;

const settings = readSettings();
if (settings.plugins.length > 0) {
  const { loadPlugins } = await import('../../metrics/plugins.ts'); // brings every model, which only the thread needs otherwise
  await loadPlugins(settings.plugins);
}
const thread = createLanes(1, { started: 1 });
const address = parseEngine(settings.engine);
const redis = await connectEngine(address);
const store = openStore(settings.store, redis, address.prefix);
const files = openTraceFiles(store, settings.cache, settings.cacheBytes);

/** In the order of their last use. */
const traces = new Map<string, EventBuffer>();

/** From memory, or else from where it can be had. */
async function kept(name: string, load: () => Promise<EventBuffer>): Promise<EventBuffer> {
  const events = traces.get(name) ?? (await load());
  traces.delete(name);
  traces.set(name, events);
  let bytes = [...traces.values()].reduce((sum, { head }) => sum + head.length * ROW_BYTES, 0);
  for (const [oldest, { head }] of traces) {
    if (bytes <= MEMORY_BYTES || oldest === name) break;
    traces.delete(oldest);
    bytes -= head.length * ROW_BYTES;
  }
  return events;
}

const traceOf = (hash: string): Promise<EventBuffer> =>
  kept(hash, async () => {
    const events = await files.load(hash);
    if (events) return events;
    throw new UserError(
      `${store.shown}: found no trace ${hash}, expected it there; workers need the --store of the client`,
    );
  });

const generated = ({ workload, parameters }: DescribedRun): Promise<EventBuffer> =>
  kept(canonicalPlain({ workload, parameters }), async () => {
    const { generateEvents } = await import('../../../workloads/index.ts');
    return generateEvents(workload, parameters);
  });

async function taskOf(described: DescribedTask): Promise<Task> {
  if ('traces' in described) {
    const loaded: Record<string, EventBuffer> = {};
    for (const [name, hash] of Object.entries(described.traces)) loaded[name] = await traceOf(hash);
    return 'fleet' in described
      ? { ...described, traces: loaded, threads: settings.threads }
      : { ...described, traces: loaded };
  }
  if ('observe' in described) return { observe: described.observe, events: await traceOf(described.trace) };
  const { trace, ...task } = described;
  return { ...task, events: trace === null ? await generated(described) : await traceOf(trace) };
}

/** The part of BullMQ's job that is needed. */
interface Job {
  readonly id: string;
  readonly data: JobData;
  readonly attemptsMade: number;
  readonly opts: { readonly attempts?: number };
}

/** BullMQ's entry. What becomes of the run lies under its key before the job is over; only what may be better elsewhere is thrown. */
export default async function executeJob(job: Job): Promise<void> {
  const key = resultKey(address.prefix, job.id);
  // A worker that was thought dead may have finished it.
  if ((await redis.exists(key)) === 1) return;
  const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  let outcome: Outcome;
  try {
    outcome = { run: await thread.execute(await taskOf(decodePlain<DescribedTask>(job.data.task))) };
  } catch (error) {
    if (error instanceof RunCrashed) throw error;
    if (error instanceof UserError) {
      if (isOfStore(error) && !isLast) throw error;
      outcome = { userError: error.message };
    } else outcome = { internalError: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  await redis.set(key, encodeOutcome(outcome), 'EX', KEPT_SECONDS);
}

/** Another worker may have the right store. */
const isOfStore = (error: UserError): boolean => error.message.startsWith(store.shown);
