import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const WORKLOAD = 'stress:profile=mix,events=200000';
const BEGUN_BYTES = 100_000;

/** Starts a command and kills it as soon as it has written so much of a file. */
async function killedWhileWriting(folder: string, args: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: 'ignore' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  const unnamed = () => readdirSync(folder).filter((name) => name.startsWith('.allocsim-'));
  const sizeOf = (name: string) => (existsSync(join(folder, name)) ? statSync(join(folder, name)).size : 0);
  while (child.exitCode === null && !unnamed().some((name) => sizeOf(name) > BEGUN_BYTES))
    await new Promise((resolve) => setTimeout(resolve, 2));
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  return unnamed();
}

test.each([
  ['run', WORKLOAD, '--mode=lockstep', '--quiet', '--placements=out'],
  ['run', WORKLOAD, '--mode=lockstep', '--quiet', '--sample-every=100', '--samples=out'],
])('a command that is killed while it writes leaves the old file: %s %s %s %s %s', async (...args) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'out'), 'old');
  const unnamed = await killedWhileWriting(folder, args);
  expect(unnamed).toHaveLength(1);
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('old');
  expect(readdirSync(folder).sort()).toEqual([...unnamed, 'out']);
});
