import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../../sim/contract/assert.ts';
import { RunCrashed } from '../parallel/executor.ts';
import type { CommandJob, CommandOutcome } from './command-job.ts';

/** Commands that workers execute; others write where they like. */
const COMMANDS = ['machine'];
const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

/** Executes the command as a process of its own, in a folder of its own. Throws where that process crashed. */
export async function executeCommand(job: CommandJob, plugins: readonly string[]): Promise<CommandOutcome> {
  const { args, files, outputs } = job;
  if (!COMMANDS.includes(args[0]!))
    throw new UserError(`a worker was asked for '${args[0]}', expected ${COMMANDS.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-command-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(inside(folder, name)), { recursive: true });
      writeFileSync(inside(folder, name), Buffer.from(text, 'base64'));
    }
    const { status, signal, stdout, stderr } = await run(job, plugins, folder);
    if (signal !== null) throw new RunCrashed(`Unexpected exit code: ${status} signal: ${signal}`);
    const written = outputs.flatMap((name) => {
      try {
        return [[name, readFileSync(inside(folder, name), 'utf8')] as const];
      } catch {
        return []; // the command ended before
      }
    });
    return { status, stdout, stderr, outputs: Object.fromEntries(written) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inside(folder: string, name: string): string {
  const path = join(folder, normalize(name));
  if (!path.startsWith(folder + sep))
    throw new UserError(`a worker was asked for file '${name}', expected one in its folder`);
  return path;
}

function run({ args, stdin, columns }: CommandJob, plugins: readonly string[], cwd: string) {
  const words = [CLI, ...plugins.map((file) => `--plugin=${file}`), ...args];
  const child = spawn(process.execPath, words, {
    cwd,
    env: { ...process.env, NO_COLOR: '1', COLUMNS: String(columns) },
  });
  child.stdin.on('error', () => {}); // it may end without having read it
  child.stdin.end(stdin);
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  return new Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        process.off('exit', kill);
        resolve({ status, signal, ...texts });
      });
    },
  );
}
