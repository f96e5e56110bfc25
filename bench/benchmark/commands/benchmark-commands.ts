import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeObstacle } from '../../evidence/native/native.ts';
import { measureEngine } from './engine.ts';
import type { CommandBenchmark } from './rows.ts';
import { measureWhole } from './whole.ts';

const loadOfMinute = (): number => loadavg()[0]!;

/** `quick` shows that everything runs, not how fast. */
export async function benchmarkCommands(quick: boolean, onStep: (about: string) => void): Promise<CommandBenchmark> {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-bench-'));
  const rounds = quick ? 1 : 3;
  const noReal = nativeObstacle();
  const before = loadOfMinute();
  try {
    const whole = await measureWhole({ folder, rounds, share: quick ? 0.05 : 1, onStep });
    const engine = await measureEngine({
      folder,
      lengths: quick ? [1e5] : [1e6, 5e6, 50e6],
      rounds,
      hasReal: noReal === undefined,
      onStep,
    });
    const load = { before, after: loadOfMinute(), processors: availableParallelism() };
    return { rounds, load, noReal, rows: [...whole, ...engine] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
