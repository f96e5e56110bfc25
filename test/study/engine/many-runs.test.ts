import { gunzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeOutcome } from '../../../bench/study/engine/job.ts';
import { resultKey } from '../../../bench/study/engine/names.ts';
import { runTask } from '../../../bench/study/parallel/run-task.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { CLI_BUILT } from '../../helpers/cli.ts';
import { startRedis, startSim } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const RUNS = 3000;
/** Of the client: the results alone, as they come, are many times as much. */
const HEAP_MIB = 96;

/** The outcome of one real run, which here is every run's. */
async function anOutcome(): Promise<Buffer> {
  const { name, events, parameters } = await resolveWorkload('rows:threads=32,rounds=5');
  const task = { events, workload: name, parameters, cpus: 4, mode: 'virtual', pace: 'asap', seed: 0 } as const;
  return encodeOutcome({ run: await runTask({ ...task, allocator: 'glibc' }) });
}

const AT_ONCE = 250;

/**
 * Takes jobs as they come and leaves the outcome for each: what the client sees of workers (the list of what waits, the stream of
 * events), for little of a processor.
 */
function drain(url: string, outcome: Buffer) {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  let queue: string | undefined;
  const key = (name: string) => `${queue}:${name}`;
  let stopped = false;
  let done = 0;
  let mostBytes = 0;
  async function work(): Promise<void> {
    while (!stopped) {
      // The queue of the client's build.
      queue ??= (await client.keys('allocsim:runs-*:wait'))[0]?.replace(/:wait$/, '');
      const ids = (queue && (await client.rpop(key('wait'), AT_ONCE))) || [];
      if (ids.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      const writes = client.pipeline();
      for (const id of ids) {
        writes.set(resultKey('allocsim', id), outcome, 'EX', 600).del(key(id));
        writes.xadd(key('events'), '*', 'event', 'completed', 'jobId', id);
      }
      await writes.exec();
      done += ids.length;
      mostBytes = Math.max(mostBytes, Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]));
    }
  }
  const working = work();
  const stop = async () => {
    stopped = true;
    await working;
    client.disconnect();
    return { done, mostBytes };
  };
  onTestFinished(async () => void (await stop()));
  return { stop };
}

describe.runIf(CLI_BUILT)('many runs', () => {
  test(`${RUNS} queued runs in ${HEAP_MIB} MiB`, async (context) => {
    requireTool(context, 'redis-server');
    const redis = await startRedis();
    const outcome = await anOutcome();
    expect((gunzipSync(outcome).length * RUNS) / 2 ** 20).toBeGreaterThan(HEAP_MIB);
    const worker = drain(redis.url, outcome);
    const args = ['sweep', 'rows:threads=1,rounds=1', `--seeds=${RUNS}`, '--json', '--engine', redis.url];
    const sweep = startSim(args, {
      XDG_CACHE_HOME: temporaryFolder(),
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
    });
    expect(await sweep.ended).toBe(0);
    expect(sweep.stderr()).toMatch(/^(sim: no worker at [^\n]*\n)?$/); // nobody here looks like one
    expect(JSON.parse(sweep.stdout()).seeds.length).toBe(RUNS);
    const { done, mostBytes } = await worker.stop();
    expect(done).toBe(RUNS);
    // The outcomes, which are kept for --resume, and little beside them.
    expect(mostBytes / (RUNS * outcome.length)).toBeLessThan(2);
  }, 600_000);
});
