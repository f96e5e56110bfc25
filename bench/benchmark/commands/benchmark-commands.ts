import { availableParallelism, loadavg } from 'node:os';
import { inTemporaryFolder } from '../../../workloads/files/temporary-folder.ts';
import { nativeObstacle } from '../../evidence/native/native.ts';
import { measureEngine } from './engine.ts';
import type { CommandBenchmark, CommandRow } from './rows.ts';
import { measureWhole } from './whole.ts';

const loadOfMinute = (): number => loadavg()[0]!;

export interface CommandsOptions {
  /** Shows that everything runs, not how fast. */
  readonly quick: boolean;
  readonly onStep: (about: string) => void;
  readonly signal: AbortSignal;
}

/** Where the signal ends it, the result has the rows that had finished. */
export async function benchmarkCommands({ quick, onStep, signal }: CommandsOptions): Promise<CommandBenchmark> {
  const rounds = quick ? 1 : 3;
  const noReal = nativeObstacle();
  const before = loadOfMinute();
  const rows: CommandRow[] = [];
  const resultOf = (partial: boolean): CommandBenchmark => {
    const load = { before, after: loadOfMinute(), processors: availableParallelism() };
    return { rounds, load, noReal, rows, partial };
  };
  try {
    await inTemporaryFolder(async (folder) => {
      const common = { folder, rounds, signal, onStep, onRow: (row: CommandRow) => rows.push(row) };
      await measureWhole({ ...common, share: quick ? 0.05 : 1 });
      const lengths = quick ? [1e5] : [1e6, 5e6, 50e6];
      await measureEngine({ ...common, lengths, hasReal: noReal === undefined });
    });
    return resultOf(false);
  } catch (error) {
    if (!signal.aborted) throw error;
    return resultOf(true);
  }
}
