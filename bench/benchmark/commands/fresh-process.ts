import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RunResult } from '../../run/result.ts';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

export interface CommandRun {
  /** From start to end, as one waits for it. */
  readonly seconds: number;
  readonly output: string;
}

const execute = promisify(execFile);

/** `sim ARGS` in a process of its own, straight on this Node; the signal ends it. Throws where it fails. */
export async function runCommand(args: readonly string[], signal: AbortSignal): Promise<CommandRun> {
  const started = performance.now();
  const { stdout } = await execute(process.execPath, [CLI, ...args], { signal, maxBuffer: 2 ** 29 });
  return { seconds: (performance.now() - started) / 1000, output: stdout };
}

export interface EngineRun extends CommandRun {
  readonly engine: RunResult['engine'];
}

/** The same with `--json`: what the run says of itself. */
export async function runWithEngine(args: readonly string[], signal: AbortSignal): Promise<EngineRun> {
  const run = await runCommand([...args, '--json'], signal);
  return { ...run, engine: (JSON.parse(run.output) as RunResult).engine };
}
