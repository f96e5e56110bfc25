import { describe, expect, test, type TestContext } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { type Running, startRedis, startSim, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const QUIET = { XDG_CACHE_HOME: '' };

const worker = (url: string, ...more: string[]): Running =>
  startSim(['worker', '--engine', url, '--concurrency', '1', ...more], QUIET);
const works = (one: Running) => until(() => one.stderr().includes('takes runs'));

/** How many jobs came to their end at workers. */
function completedIn(redis: { ask(...args: string[]): string }): number {
  const key = redis.ask('keys', '*:metrics:completed').split('\n')[0]!;
  return Number(redis.ask('hget', key, 'count') || 0);
}

async function redisOf(context: TestContext) {
  QUIET.XDG_CACHE_HOME = temporaryFolder();
  requireTool(context, 'redis-server');
  return startRedis();
}

describe.runIf(CLI_BUILT)('a cluster of workers', () => {
  test('200 runs over four workers, one of them killed every two seconds, are those of one machine', async (context) => {
    const redis = await redisOf(context);
    const args = ['sweep', 'rows:threads=2,rounds=3000', '--grid=arena_max=1,2', '--seeds=100', '--json'];
    const workers = [1, 2, 3, 4].map(() => worker(redis.url));
    await works(workers[0]!);
    const sweep = startSim([...args, '--engine', redis.url], QUIET);
    let killed = 0;
    const timer = setInterval(() => {
      workers.shift()!.process.kill('SIGKILL');
      killed++;
      workers.push(worker(redis.url));
    }, 2000);
    const code = await sweep.ended;
    clearInterval(timer);
    expect(sweep.stderr()).not.toMatch(/given up|internal error/);
    expect(code).toBe(0);
    expect(killed).toBeGreaterThan(1);
    expect(sweep.stdout()).toBe(sim(args).stdout);
  }, 120_000);
});
