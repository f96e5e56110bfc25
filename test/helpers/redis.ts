import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, onTestFinished } from 'vitest';
import { CLI } from './cli.ts';

/** A Redis server of the running test, gone with it. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again over the same files. */
  start(): Promise<void>;
  /** `redis-cli`'s answer. */
  ask(...args: string[]): string;
}

/** PEM files: what the server shows, and who has signed it. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function startRedis(more: readonly string[] = [], tls?: TlsFiles): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-redis-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  const secure = tls ? ['--tls', '--cacert', tls.ca] : [];
  const ask = (...args: string[]) =>
    spawnSync('redis-cli', ['-p', String(port), ...secure, ...args], { encoding: 'utf8' }).stdout.trim();

  async function start(): Promise<void> {
    const options = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
    if (tls) {
      options.push('--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no');
      options.push('--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key);
    } else options.push('--port', `${port}`);
    server = spawn('redis-server', [...options, ...more], { stdio: 'ignore' });
    await until(() => /PONG|NOAUTH/.test(ask('ping')));
  }
  async function kill(): Promise<void> {
    const ended = new Promise((resolve) => server?.once('exit', resolve));
    server?.kill('SIGKILL');
    await ended;
  }
  onTestFinished(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return { url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`, port, kill, start, ask };
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits for something that will be: the limit is for what never comes, not for a machine with much to do. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 200_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

/** Keys of a pattern. */
export const countOf = ({ ask }: TestRedis, pattern: string): number =>
  ask('--scan', '--pattern', pattern).split('\n').filter(Boolean).length;

/** Of the running test file: a process must not outlive it. */
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A command that runs beside the test, and ends with it. */
export interface Running {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** The exit code; null after a signal. */
  readonly ended: Promise<number | null>;
}

export function startSim(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  cwd?: string,
): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...environment },
    ...(cwd !== undefined && { cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  running.push(child);
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended: new Promise((resolve) => child.once('close', resolve)),
  };
}
