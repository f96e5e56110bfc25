import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { command } from '../../helpers/command.ts';
import { objectServer } from '../../helpers/object-server.ts';
import { countOf, freePort, type Running, startRedis, startSim, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const works = (one: Running) => until(() => one.stderr().includes('takes runs'));
const TRACE = `%htrace 1\n%touch full\n${Array.from({ length: 400 }, (_, i) => `m 0 ${i} ${100 * i}`).join('\n')}\n`;

/** Its trace and its log travel with it. */
const FLEET = `duration: 40m
samples: 11
machine: { memory: 2G }
pools:
  - { name: www, pm: { max_children: 2 }, worker: { anonymous: 1M } }
requests:
  - { name: page, pool: www, trace: t.htrace, time: 20ms, log: log.txt }
  - { name: other, pool: www, workload: "rows:threads=1,rounds=2", time: 20ms, rate: 1/s, variants: 2 }
settings:
  - { name: one child, change: { pools.www.pm.max_children: 1 } }
`;

async function cluster(context: TestContext, more: readonly string[] = []) {
  requireTool(context, 'redis-server');
  const folder = temporaryFolder();
  const environment = { XDG_CACHE_HOME: folder };
  return { folder, environment, redis: await startRedis(more) };
}

/** What differs from run to run: the host's figures. */
const withoutHost = (text: string): unknown =>
  JSON.parse(text, (key, value) => (key === 'engine' ? undefined : (value as unknown)));

describe.runIf(CLI_BUILT)('commands with an engine', () => {
  test('say what they say without one', async (context) => {
    const { folder, redis, environment } = await cluster(context);
    await works(startSim(['worker', '--engine', redis.url, '--concurrency=2'], environment));
    const trace = join(folder, 't.htrace');
    const suite = join(folder, 'suite.json');
    const script = join(folder, 's.machine');
    const fleet = join(folder, 'fleet.yaml');
    writeFileSync(trace, TRACE);
    writeFileSync(script, `p1 run ${trace} under glibc\nsample one\np2 run rows:threads=1,rounds=2 under jemalloc\n`);
    writeFileSync(fleet, FLEET);
    writeFileSync(join(folder, 'log.txt'), '0.5\n1\n5\n100\n900\n');
    writeFileSync(
      suite,
      JSON.stringify({ workloads: [trace, 'rows:threads=2,rounds=5'], allocators: ['glibc', 'jemalloc'] }),
    );
    const commands = [
      ['compare', trace, '--allocators=glibc,jemalloc', '--json', '--plot'],
      ['sweep', trace, '--grid=mmap_threshold=64K,128K', '--cpus=1,4', '--json'],
      ['tune', trace, '--options=mmap_threshold,top_pad', '--budget=8', '--json'],
      ['plan', trace, '--allocators=glibc,jemalloc', '--mix=1=rows:threads=2,rounds=5', '--json'],
      ['gate', '--suite', suite, '--save=-'],
      ['machine', 'shared-memory', '--json'],
      ['machine', script, '--view=meminfo', '--view=ps:aux', '--at=one'],
      ['machine', fleet, '--json'],
      ['machine', fleet, '--view=meminfo', '--at=20m'],
      ['plan', fleet, '--horizon=20m', '--horizon=40m', '--settings=all', '--csv=-'],
    ];
    for (const args of commands) {
      const queued = startSim([...args, '--engine', redis.url], environment);
      expect([args[0], await queued.ended, queued.stderr()]).toEqual([args[0], 0, '']);
      const isFleet = args[1] === fleet;
      const alone = await command(args[0] === 'machine' || isFleet ? args : [...args, '--workers=1'], environment);
      if (args[0] === 'gate')
        expect(queued.stdout().replace(/"engine": {[^}]*}/g, '')).toBe(alone.stdout.replace(/"engine": {[^}]*}/g, ''));
      else if (args[0] === 'machine' || isFleet) expect(queued.stdout()).toBe(alone.stdout);
      else expect(withoutHost(queued.stdout())).toEqual(withoutHost(alone.stdout));
      expect(queued.stdout()).not.toBe('');
    }
    expect(countOf(redis, '*:trace:*')).toBe(2); // one trace: what says so, and its one piece
  }, 480_000);

  test('a password from the environment, a prefix, metrics, an end when there is nothing to do', async (context) => {
    const { redis, environment } = await cluster(context, ['--requirepass', 'geheim']);
    const port = await freePort();
    const refused = sim(
      ['compare', 'rows:rounds=2', '--allocators=glibc', '--engine', `redis://:falsch@127.0.0.1:${redis.port}`],
      environment,
    );
    expect([refused.status, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/^sim: --engine redis:\/\/127.0.0.1:\d+: found WRONGPASS [^\n]*\n$/);
    const secret = { ...environment, ALLOCSIM_REDIS_PASSWORD: 'geheim', REDISCLI_AUTH: 'geheim' };
    const url = `${redis.url}?prefix=team-a`;
    const worker = startSim(['worker', '--engine', url, '--concurrency=1', `--metrics=127.0.0.1:${port}`], secret);
    await works(worker);
    const compare = startSim(
      ['compare', 'rows:threads=2,rounds=5', '--allocators=glibc', '--engine', url, '--csv=-'],
      secret,
    );
    expect([await compare.ended, compare.stderr()]).toEqual([0, '']);
    let metrics = '';
    // The outcome is there before its job is over.
    await until(async () => {
      metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return /^bullmq_job_completed_total\{queue="runs-[^"]+"\} 1$/m.test(metrics);
    });
    expect(metrics).toMatch(/^# HELP bullmq_job_count .*\n# TYPE bullmq_job_count gauge\n/);
    expect((await fetch(`http://127.0.0.1:${port}/else`)).status).toBe(404);
    worker.process.kill('SIGTERM');
    await worker.ended;
    const idle = startSim(['worker', '--engine', url, '--idle-exit=0.5'], secret);
    expect(await idle.ended).toBe(0);
    for (const text of [worker.stderr(), worker.stdout(), compare.stdout()]) expect(text).not.toContain('geheim');
  }, 480_000);

  test.for(['a folder', 'HTTP'])(
    'traces by %s; one that is damaged is refused',
    { timeout: 480_000 },
    async (kind, context) => {
      const { folder, redis, environment } = await cluster(context);
      const server = await objectServer(({ authorization }) => authorization === 'Basic dTpnZWhlaW0=');
      const store = kind === 'HTTP' ? `http://u:geheim@127.0.0.1:${server.port}/traces/` : join(folder, 'shared');
      const trace = join(folder, 't.htrace');
      writeFileSync(trace, TRACE);
      const cache = join(folder, 'cache');
      const start = () =>
        startSim(['worker', '--engine', redis.url, '--concurrency=1', '--store', store, '--cache', cache], environment);
      const worker = start();
      const args = ['compare', trace, '--allocators=glibc', '--csv=-'];
      const first = startSim([...args, '--engine', redis.url, '--store', store], environment);
      expect([await first.ended, first.stderr()]).toEqual([0, '']);
      expect(first.stdout()).toBe((await command(args, environment)).stdout);
      expect(countOf(redis, '*:trace:*')).toBe(0);
      const [name] = readdirSync(cache);
      expect(name).toMatch(/^[0-9a-f]{64}\.htb\.gz$/);

      // Damaged in the cache of another worker: fetched again. Damaged in the store: refused.
      worker.process.kill('SIGKILL');
      writeFileSync(join(cache, name!), 'x');
      const second = start();
      const other = startSim([...args, '--engine', redis.url, '--store', store], environment);
      expect([await other.ended, other.stderr(), other.stdout()]).toEqual([0, '', first.stdout()]);
      second.process.kill('SIGKILL');
      rmSync(cache, { recursive: true });
      if (kind === 'HTTP') server.objects.set(`/traces/${name}`, Buffer.from('x'));
      else writeFileSync(join(store, name!), 'x');
      start();
      const refused = startSim([...args, '--engine', redis.url, '--store', store], environment);
      expect(await refused.ended).toBe(2);
      expect(refused.stderr()).toMatch(/^sim: --store \S+: found a damaged trace [0-9a-f]{64} \(.*\), expected .*\n$/);
      expect(refused.stderr()).not.toContain('geheim');
    },
  );
});
