import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { startRedis, startSim, type TlsFiles, until } from '../../helpers/redis.ts';
import { requireTool } from '../../helpers/require.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const SECRET = 'geheim';

/** An authority of the test's own, and a server's certificate for 127.0.0.1 that it signed. */
function certificates(): TlsFiles {
  const folder = temporaryFolder();
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => void execFileSync('openssl', args, { stdio: 'ignore' });
  const fresh = ['-newkey', 'rsa:2048', '-nodes'];
  const [ca, cert, key] = [path('ca.pem'), path('cert.pem'), path('key.pem')];
  const about = ['-days', '2', '-subj', '/CN=allocsim test authority'];
  openssl('req', '-x509', ...fresh, '-keyout', path('ca.key'), '-out', ca, ...about);
  openssl('req', ...fresh, '-keyout', key, '-out', path('request.pem'), '-subj', '/CN=127.0.0.1');
  writeFileSync(path('names'), 'subjectAltName=IP:127.0.0.1\n');
  const signed = ['-CA', ca, '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', path('names')];
  openssl('x509', '-req', '-in', path('request.pem'), ...signed, '-out', cert);
  return { ca, cert, key };
}

describe.runIf(CLI_BUILT)('rediss://', () => {
  test('by the own authority, the password in the address or the environment; refused without', async (context) => {
    requireTool(context, 'redis-server');
    requireTool(context, 'openssl');
    const tls = certificates();
    const redis = await startRedis(['--requirepass', SECRET], tls);
    const environment = { XDG_CACHE_HOME: temporaryFolder(), ALLOCSIM_REDIS_CA: tls.ca };
    const withPassword = redis.url.replace('://', `://:${SECRET}@`);
    const args = ['compare', 'rows:threads=2,rounds=5', '--allocators=glibc', '--csv=-'];
    const worker = startSim(['worker', '--engine', redis.url, '--concurrency=1'], {
      ...environment,
      ALLOCSIM_REDIS_PASSWORD: SECRET,
    });
    await until(() => worker.stderr().includes('takes runs'));
    const queued = startSim([...args, '--engine', withPassword], environment);
    expect([await queued.ended, queued.stderr()]).toEqual([0, '']);
    expect(queued.stdout()).toBe(sim(args, environment).stdout);

    const { ALLOCSIM_REDIS_CA: _, ...stranger } = environment;
    const refusals = [
      sim([...args, '--engine', withPassword], stranger),
      sim([...args, '--engine', withPassword.replace('rediss', 'redis')], environment),
      sim([...args, '--engine', redis.url.replace('://', '://:falsch@')], environment),
      sim([...args, '--engine', redis.url], environment),
    ];
    for (const { status, stdout, stderr } of refusals) {
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^sim: --engine[^\n]*: [^\n]+, expected a Redis or Valkey server\n$/);
    }
    expect(refusals[0]!.stderr).toMatch(/certificate/);
    expect(refusals[2]!.stderr).toMatch(/WRONGPASS/);
    expect(refusals[3]!.stderr).toMatch(/NOAUTH/);
    const texts = [worker.stderr(), worker.stdout(), ...refusals.map(({ stderr }) => stderr)];
    for (const text of texts) expect(text).not.toMatch(/geheim|falsch/);
  }, 300_000);
});
