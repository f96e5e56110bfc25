import { gunzipSync } from 'node:zlib';
import { Worker } from 'bullmq';
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

const RUNS = 10_000;
/** Of the client: the results alone, as they come, are many times as much. */
const HEAP_MIB = 96;

/** The outcome of one real run, which here is every run's. */
async function anOutcome(): Promise<Buffer> {
  const { name, events, parameters } = await resolveWorkload('rows:threads=4,rounds=50');
  const task = { events, workload: name, parameters, cpus: 4, mode: 'virtual', pace: 'asap', seed: 0 } as const;
  return encodeOutcome({ run: await runTask({ ...task, allocator: 'glibc' }) });
}

describe.runIf(CLI_BUILT)('many runs', () => {
  test(`${RUNS} queued runs in ${HEAP_MIB} MiB`, async (context) => {
    requireTool(context, 'redis-server');
    const redis = await startRedis();
    const outcome = await anOutcome();
    expect((gunzipSync(outcome).length * RUNS) / 2 ** 20).toBeGreaterThan(HEAP_MIB);
    const names = (await import(String(new URL('../../../dist/bench/study/engine/names.js', import.meta.url)))) as {
      queueName(): string;
    };
    const client = new Redis(redis.url, { maxRetriesPerRequest: null });
    let most = 0;
    let done = 0;
    const worker = new Worker(
      names.queueName(),
      async ({ id }) => {
        if (++done % 500 === 0)
          most = Math.max(most, Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]));
        await client.set(resultKey('allocsim', id!), outcome, 'EX', 600);
      },
      { connection: client, prefix: 'allocsim', concurrency: 100 },
    );
    worker.on('error', () => {});
    onTestFinished(async () => {
      await worker.close(true);
      client.disconnect();
    });
    const args = ['sweep', 'rows:threads=1,rounds=1', `--seeds=${RUNS}`, '--json', '--engine', redis.url];
    const sweep = startSim(args, {
      XDG_CACHE_HOME: temporaryFolder(),
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
    });
    expect([await sweep.ended, sweep.stderr()]).toEqual([0, '']);
    expect(JSON.parse(sweep.stdout()).seeds.length).toBe(RUNS);
    expect(done).toBe(RUNS);
    // The outcomes, which are kept for --resume, and little beside them.
    expect(most / (RUNS * outcome.length)).toBeLessThan(2);
  }, 240_000);
});
