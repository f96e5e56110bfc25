import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../../sim/contract/assert.ts';
import { getPage } from './fastcgi.ts';
import { PAGES } from './pages.ts';
import { type PoolMemory, readPoolMemory } from './pool-memory.ts';

const FPM = '/usr/sbin/php-fpm8.2';
/** Which worker served what. */
export const ACCESS_LOG = 'access.log';
const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));
/** A mark must be in the logs before the next request. */
const PAUSE_MS = 700;

export interface PoolOptions {
  readonly folder: string;
  readonly workers: number;
  /** Numbers of requests at which memory is read, ascending. */
  readonly counts: readonly number[];
  /** Requests under way at once. */
  readonly parallel: number;
  /** Only this one is asked for, of PAGES. */
  readonly script?: string;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a pool of php-fpm under the recorder, sends it requests, and reads its memory at the given counts. The traces and pool.json stay in the folder. */
export async function runRealPool(options: PoolOptions): Promise<PoolMemory[]> {
  const { folder, workers, counts } = options;
  if (!existsSync(FPM)) throw new UserError(`${FPM}: found no such program, expected Debian's php8.2-fpm`);
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, ACCESS_LOG), { force: true });
  for (const [name, text] of Object.entries(PAGES)) writeFileSync(join(folder, name), text);
  const socket = join(folder, 'socket');
  writeFileSync(
    join(folder, 'fpm.conf'),
    `[global]\nerror_log = ${folder}/log\ndaemonize = no\n[www]\nlisten = ${socket}\nuser = root\ngroup = root\npm = static\npm.max_children = ${workers}\naccess.log = ${join(folder, ACCESS_LOG)}\naccess.format = "%p %f"\n`,
  );
  const program = [FPM, '-R', '-F', '-y', join(folder, 'fpm.conf'), '-d', 'apc.shm_size=32M'];
  const record = ['record', '--samples', '0', '-o', 'pool.htb', '--force', '--json', 'pool.json', '--', ...program];
  const recorder = spawn(process.execPath, [CLI, ...record], { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] });
  const ended = new Promise<void>((resolve) => void recorder.on('close', () => resolve()));
  try {
    const pids = await poolProcesses(join(folder, 'fpm.conf'), workers, recorder);
    const found: PoolMemory[] = [];
    let sent = 0;
    for (const count of counts) {
      sent = await send(options, socket, sent, count);
      await pause(PAUSE_MS);
      recorder.kill('SIGUSR2');
      await pause(PAUSE_MS);
      found.push(readPoolMemory(count, pids));
    }
    return found;
  } finally {
    recorder.kill('SIGTERM');
    await ended;
  }
}

/** Master and workers, once all are there. */
async function poolProcesses(conf: string, workers: number, recorder: ChildProcess): Promise<number[]> {
  for (let tries = 0; tries < 600 && recorder.exitCode === null; tries++) {
    const master = readdirSync('/proc').find((name) => {
      try {
        return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`master process (${conf})`);
      } catch {
        return false; // it has ended
      }
    });
    if (master !== undefined) {
      const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ');
      if (children.length === workers) return [Number(master), ...children.map(Number)];
    }
    await pause(100);
  }
  throw new UserError('php-fpm: found no pool within a minute');
}

/** Requests up to number `count`: one in five a picture, one in three for the cache, the others pages; or all of one script. */
async function send(
  { folder, parallel, script: only }: PoolOptions,
  socket: string,
  sent: number,
  count: number,
): Promise<number> {
  let next = sent + 1;
  const client = async () => {
    while (next <= count) {
      const n = next++;
      const script = only ?? (n % 5 === 1 ? 'picture.php' : n % 3 === 0 ? 'cache.php' : 'page.php');
      const answer = await getPage(socket, join(folder, script), `n=${n}`);
      if (!/\r\n\r\n(picture|hit|miss|\d+) ?/.test(answer))
        throw new UserError(`${script}: found '${answer.slice(0, 200)}', expected its answer`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  return count;
}
