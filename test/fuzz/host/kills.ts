import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../sim/contract/random.ts';
import { CLI, endOf, filesOf, partOf, prepare, type WritingCommand } from './written.ts';

/** The group of processes: what a killed command has started would go on. */
async function kill(args: readonly string[], folder: string, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await new Promise((resolve) => child.on('exit', resolve));
  clearTimeout(timer);
}

/** Kills the command so often, at moments that are drawn; behind the last one it runs to its end in what is left. @returns what is wrong. */
export async function killed(
  base: string,
  { args, writes }: WritingCommand,
  kills: number,
  random: Random,
): Promise<string[]> {
  const wrong: string[] = [];
  const whole = join(base, 'whole');
  prepare(whole, []);
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: whole, encoding: 'utf8' });
  const tookMs = performance.now() - started;
  if (status !== 0) return [`does not run: ${stderr.split('\n')[0]}`];
  const ends = new Map(filesOf(whole, writes).map((path) => [path.slice(whole.length), endOf(path)]));
  for (let i = 0; i < kills; i++) {
    const folder = join(base, 'killed');
    prepare(folder, writes);
    const afterMs = random.integer(20, Math.ceil(tookMs));
    await kill(args, folder, afterMs);
    for (const path of filesOf(folder, writes)) {
      const part = existsSync(path) ? partOf(path, ends.get(path.slice(folder.length))) : `${path} is gone`;
      if (part !== undefined) wrong.push(`killed after ${afterMs} ms: ${part}`);
    }
    if (i === kills - 1) {
      const next = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8' });
      if (next.status !== 0) wrong.push(`the next run: exit ${next.status}: ${next.stderr.slice(0, 300)}`);
    }
    rmSync(folder, { recursive: true });
  }
  rmSync(whole, { recursive: true });
  return wrong;
}
