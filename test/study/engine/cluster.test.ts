import { describe, expect, test, type TestContext } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { countOf, type Running, startRedis, startSim, type TestRedis, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** A server, and commands that know no other cache than the test's. */
async function cluster(context: TestContext) {
  requireTool(context, 'redis-server');
  const environment = { XDG_CACHE_HOME: temporaryFolder() };
  const redis = await startRedis();
  return {
    redis,
    environment,
    worker: (...more: string[]) =>
      startSim(['worker', '--engine', redis.url, '--concurrency', '1', ...more], environment),
    client: (...args: string[]) => startSim([...args, '--engine', redis.url], environment),
    alone: (...args: string[]) => sim(args, environment),
  };
}

const works = (one: Running) => until(() => one.stderr().includes('takes runs'));
const results = (redis: TestRedis): number => countOf(redis, '*:result:*');

/** Every two seconds kills one of the workers and starts another, as long as anything is done between two kills. */
function killing(redis: TestRedis, workers: Running[], start: () => Running) {
  let kills = 0;
  let before = 0;
  const timer = setInterval(() => {
    const now = results(redis);
    if (now === before) return; // the machine is too busy to have done anything
    before = now;
    workers.shift()!.process.kill('SIGKILL');
    workers.push(start());
    kills++;
  }, 2000);
  return {
    stop() {
      clearInterval(timer);
      return kills;
    },
  };
}

describe.runIf(CLI_BUILT)('a cluster of workers', () => {
  test('200 runs over four workers, one of them killed every two seconds, are those of one machine', async (context) => {
    const { redis, worker, client, alone } = await cluster(context);
    const args = ['sweep', 'rows:threads=2,rounds=500', '--grid=arena_max=1,2', '--seeds=100', '--json'];
    const workers = [1, 2, 3, 4].map(() => worker());
    await works(workers[0]!);
    const sweep = client(...args);
    const hunter = killing(redis, workers, worker);
    const code = await sweep.ended;
    expect(hunter.stop()).toBeGreaterThan(0);
    expect(sweep.stderr()).not.toMatch(/given up|internal error/);
    expect(code).toBe(0);
    expect(sweep.stdout()).toBe(alone(...args).stdout);
  }, 240_000);
});
