import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { objectServer } from '../../helpers/object-server.ts';
import { countOf, freePort, type Running, startRedis, startSim, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const works = (one: Running) => until(() => one.stderr().includes('takes runs'), 60_000);
const TRACE = `%htrace 1\n%touch full\n${Array.from({ length: 400 }, (_, i) => `m 0 ${i} ${100 * i}`).join('\n')}\n`;

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
    writeFileSync(trace, TRACE);
    writeFileSync(
      suite,
      JSON.stringify({ workloads: [trace, 'rows:threads=2,rounds=5'], allocators: ['glibc', 'jemalloc'] }),
    );
    const commands = [
      ['compare', trace, '--allocators=glibc,jemalloc', '--json', '--plot'],
      ['compare', 'rows:threads=2,rounds=5', '--allocators=glibc,glibc', '--seeds=2', '--json'],
      ['sweep', trace, '--grid=mmap_threshold=64K,128K', '--cpus=1,4', '--json'],
      ['tune', trace, '--options=mmap_threshold,top_pad', '--budget=8', '--json'],
      ['plan', trace, '--allocators=glibc,jemalloc', '--mix=1=rows:threads=2,rounds=5', '--json'],
      ['gate', '--suite', suite, '--save=-'],
    ];
    for (const args of commands) {
      const queued = startSim([...args, '--engine', redis.url], environment);
      expect([args[0], await queued.ended, queued.stderr()]).toEqual([args[0], 0, '']);
      const alone = sim([...args, '--workers=1'], environment);
      if (args[0] === 'gate')
        expect(queued.stdout().replace(/"engine": {[^}]*}/g, '')).toBe(alone.stdout.replace(/"engine": {[^}]*}/g, ''));
      else expect(withoutHost(queued.stdout())).toEqual(withoutHost(alone.stdout));
    }
    expect(countOf(redis, '*:trace:*')).toBe(2); // one trace: what says so, and its one piece
  }, 240_000);

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
    const worker = startSim(
      ['worker', '--engine', url, '--concurrency=1', `--metrics=127.0.0.1:${port}`, '--idle-exit=4'],
      secret,
    );
    await works(worker);
    const compare = startSim(
      ['compare', 'rows:threads=2,rounds=5', '--allocators=glibc', '--engine', url, '--csv=-'],
      secret,
    );
    expect([await compare.ended, compare.stderr()]).toEqual([0, '']);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^# HELP bullmq_job_count .*\n# TYPE bullmq_job_count gauge\n/);
    expect(metrics).toMatch(/^bullmq_job_completed_total\{queue="runs-[^"]+"\} 1$/m);
    expect((await fetch(`http://127.0.0.1:${port}/else`)).status).toBe(404);
    expect(await worker.ended).toBe(0);
    for (const text of [worker.stderr(), worker.stdout(), compare.stdout()]) expect(text).not.toContain('geheim');
  });

  test.for(['a folder', 'HTTP'])(
    'traces by %s; one that is damaged is refused',
    { timeout: 120_000 },
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
      expect(first.stdout()).toBe(sim(args, environment).stdout);
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
