import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/temporary.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LOOK_MS = 50;

const isBatch = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/worker.js');
  } catch {
    return false; // it has ended
  }
};

const batchesOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number).filter(isBatch);

/** A process that has ended but was not waited for yet is gone too. */
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

beforeAll(() => {
  const { status } = spawnSync('npx', ['rolldown', '-c', 'test/fuzz/rolldown.config.ts'], { cwd: ROOT });
  expect(status).toBe(0);
}, 60_000);

test.each(['SIGINT', 'SIGTERM'] as const)('%s to a run ends the processes of its batches too', async (signal) => {
  const args = ['--inputs', '1000', '--only', 'specs', '--workers', '1', '--out', temporaryFolder()];
  const run = spawn(process.execPath, ['dist/test/fuzz/main.js', ...args], { cwd: ROOT, stdio: 'ignore' });
  const ended = new Promise((resolve) => run.on('exit', resolve));
  await expect.poll(() => batchesOf(run.pid!), { timeout: 30_000, interval: LOOK_MS }).not.toEqual([]);
  const workers = batchesOf(run.pid!);
  run.kill(signal);
  expect(await ended).toBe(130);
  await expect.poll(() => workers.filter(isAlive), { timeout: 2000, interval: LOOK_MS }).toEqual([]);
});
