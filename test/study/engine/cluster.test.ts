import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, type TestContext, test } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { countOf, type Running, startRedis, startSim, type TestRedis, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** A server, and commands that know no other cache than the test's. */
async function cluster(context: TestContext, more: readonly string[] = []) {
  requireTool(context, 'redis-server');
  const environment = { XDG_CACHE_HOME: temporaryFolder() };
  const redis = await startRedis(more);
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

/** Linux only. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

const LIBRARY = new URL('../../../dist/bench/index.js', import.meta.url);

/** A workload that kills whoever generates it with this seed; a client does not. */
const POISON = `
import { WORKLOADS } from '${LIBRARY}';
const server = WORKLOADS.find(({ name }) => name === 'server');
const generate = (values) => {
  if (values.seed === 1) process.kill(process.pid, 'SIGKILL');
  return server.generate(values);
};
export default { workloads: [{ ...server, name: 'poison', generate }] };
`;

/** A workload that writes down, in a file, each time that somebody makes a run of it: a worker generates it once for a run. */
const counted = (file: string) => `
import { appendFileSync } from 'node:fs';
import { WORKLOADS } from '${LIBRARY}';
const rows = WORKLOADS.find(({ name }) => name === 'rows');
const generate = (values) => {
  appendFileSync(${JSON.stringify(file)}, values.seed + '\\n');
  return rows.generate({ ...values, threads: 2, rounds: 300 });
};
export default { workloads: [{ ...rows, name: 'counted', generate }] };
`;

/** Kills one of the workers and starts another once something has been done, and every two seconds from then on in which more is. */
function killing(redis: TestRedis, workers: Running[], start: () => Running) {
  let kills = 0;
  let before = 0;
  let lastMs = -Infinity;
  const timer = setInterval(() => {
    if (performance.now() < lastMs + 2000) return;
    const now = results(redis);
    if (now === before) return; // the machine is too busy to have done anything
    before = now;
    lastMs = performance.now();
    workers.shift()!.process.kill('SIGKILL');
    workers.push(start());
    kills++;
  }, 200);
  return {
    stop() {
      clearInterval(timer);
      return kills;
    },
  };
}

describe.runIf(CLI_BUILT)('a cluster of workers', () => {
  test('runs over four workers, one of them killed every two seconds, are those of one machine', async (context) => {
    const { redis, worker, client, alone } = await cluster(context);
    const args = ['sweep', 'rows:threads=2,rounds=40', '--grid=arena_max=1,2', '--seeds=12', '--json'];
    const workers = [1, 2, 3, 4].map(() => worker());
    await works(workers[0]!);
    const sweep = client(...args);
    const hunter = killing(redis, workers, worker);
    const code = await sweep.ended;
    expect(hunter.stop()).toBeGreaterThan(0);
    expect(sweep.stderr()).not.toMatch(/given up|internal error/);
    expect(code).toBe(0);
    expect(sweep.stdout()).toBe(alone(...args).stdout);
  }, 480_000);

  test('a worker that is killed takes its processes along, also those that have hardly begun', async (context) => {
    const { worker, client } = await cluster(context);
    client('sweep', 'rows:threads=2,rounds=40', '--grid=arena_max=1,2', '--seeds=100', '--json');
    const pids: number[] = [];
    for (let i = 0; i < 4; i++) {
      const one = worker();
      await until(() => childrenOf(one.process.pid!).length > 0);
      await setTimeout(120 * i); // its process is somewhere between its first line and its first run
      pids.push(...childrenOf(one.process.pid!));
      one.process.kill('SIGKILL');
    }
    expect(pids.length).toBeGreaterThanOrEqual(4);
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  }, 480_000);

  test('the server dies and comes back, the client dies and comes back: nothing is lost, nothing is run twice', async (context) => {
    // Every write is on the disk before it is answered: what is run twice is not what the server forgot.
    const { redis, worker, client, alone } = await cluster(context, ['--appendfsync', 'always']);
    const folder = temporaryFolder();
    const [plugin, file] = [join(folder, 'counted.mjs'), join(folder, 'runs')];
    writeFileSync(plugin, counted(file));
    writeFileSync(file, '');
    const made = () => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
    const args = ['compare', 'counted', '--allocators=glibc', '--seeds=24', '--csv=-', '--plugin', plugin];
    await works(worker('--plugin', plugin));
    const gone = client(...args);
    await until(() => results(redis) >= 3);
    await redis.kill();
    await redis.start();
    await until(() => results(redis) >= 8);
    gone.process.kill('SIGKILL');
    await until(() => results(redis) >= 12); // workers go on
    const back = client(...args, '--resume');
    expect(await back.ended).toBe(0);
    const runs = made();
    expect(new Set(runs).size).toBe(24);
    // A worker that the machine held up for so long that it was thought dead may make one again.
    expect(runs.length).toBeLessThanOrEqual(24 + 2);
    const again = client(...args, '--resume');
    expect(await again.ended).toBe(0);
    expect(again.stdout()).toBe(back.stdout());
    expect(made().length).toBe(runs.length);
    expect(back.stdout()).toBe(alone(...args).stdout);
  }, 480_000);

  test('a run that takes its worker along three times is given up, and the others are told', async (context) => {
    const { worker, client } = await cluster(context);
    const plugin = join(temporaryFolder(), 'poison.mjs');
    writeFileSync(plugin, POISON);
    const args = [
      'compare',
      'poison:requests=20',
      '--allocators=glibc,jemalloc',
      '--seeds=3',
      '--json',
      '--plugin',
      plugin,
    ];
    await works(worker('--plugin', plugin));
    const compare = client(...args);
    expect(await compare.ended).toBe(1);
    expect(compare.stderr().trim().split('\n').sort()).toEqual([
      'sim: poison under glibc, seed 1: crashed its worker 3 times (SIGKILL), given up',
      'sim: poison under jemalloc, seed 1: crashed its worker 3 times (SIGKILL), given up',
    ]);
    const { partial, seeds } = JSON.parse(compare.stdout());
    expect([partial, seeds]).toEqual([true, [0, 2]]);
  }, 480_000);

  test('another build of the product is refused', async (context) => {
    const { worker, client } = await cluster(context);
    const plugin = join(temporaryFolder(), 'poison.mjs');
    writeFileSync(plugin, POISON);
    await works(worker('--plugin', plugin));
    const compare = client('compare', 'rows:rounds=2', '--allocators=glibc');
    await until(() => compare.stderr() !== '');
    expect(compare.stderr()).toMatch(
      /^sim: no worker of this build \(\S+\) at \S+; there are workers of \S+, which are refused\n$/,
    );
    compare.process.kill('SIGINT');
    expect(await compare.ended).toBe(130);
    expect(compare.stdout()).toBe('');
  }, 480_000);
});
