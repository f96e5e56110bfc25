import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert } from '../../../sim/contract/assert.ts';
import type { RunResult } from '../../run/result.ts';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

export interface CommandRun {
  /** From start to end, as one waits for it. */
  readonly seconds: number;
  readonly output: string;
}

/** `sim ARGS` in a process of its own, straight on this Node. */
export function runCommand(args: readonly string[]): CommandRun {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 29,
  });
  assert(status === 0, `sim ${args.join(' ')} failed in the benchmark: ${stderr}`);
  return { seconds: (performance.now() - started) / 1000, output: stdout };
}

/** The same with `--json`: what the run says of itself. */
export function runWithEngine(args: readonly string[]): CommandRun & { readonly engine: RunResult['engine'] } {
  const run = runCommand([...args, '--json']);
  return { ...run, engine: (JSON.parse(run.output) as RunResult).engine };
}
