import { type Comparison, compareResults } from '../../metrics/comparison.ts';
import type { ReportRun } from '../../report/report-run.ts';
import type { RunResult } from '../../run/result.ts';
import { orFinished, wholePart } from '../parallel/finished.ts';
import { type RunAllOptions, startBatch } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';

export interface CompareOptions extends RunAllOptions {
  /** The workload for a seed; asked once a seed, so that all allocators replay the very same events. */
  readonly load: (seed: number) => Promise<Omit<RunTask, 'allocator' | 'seed'>>;
  /** As in --allocator; ratios refer to the first. */
  readonly allocators: readonly string[];
  readonly seeds?: readonly number[];
}

export interface CompareOutcome {
  readonly comparison: Comparison;
  /** The allocators of the columns, by their places in `options.allocators`: fewer where it was interrupted. */
  readonly columns: readonly number[];
  /** By allocator, then by seed. */
  readonly runs: readonly (readonly RunResult[])[];
  /** The same with what was recorded for a report. */
  readonly recorded: readonly (readonly ReportRun[])[];
}

/** Replays one workload under several allocators in parallel, with the same events and the same seeds for all. */
export async function compare(options: CompareOptions): Promise<CompareOutcome> {
  const { allocators, seeds = [0] } = options;
  async function* tasks(): AsyncGenerator<RunTask> {
    for (const seed of seeds) {
      const loaded = await options.load(seed);
      for (const allocator of allocators) yield { ...loaded, allocator, seed };
    }
  }
  const total = allocators.length * seeds.length;
  const runner = startBatch(total, options, allocators);
  const whole = runner.runKeeping(tasks(), total, (run) => run).finally(() => runner.close());
  const done = await orFinished(whole);
  const table = seeds.map((_, j) => done.runs.slice(j * allocators.length, (j + 1) * allocators.length));
  const { rows, columns } = wholePart(table);
  const recorded = columns.map((i) => rows.map((j) => table[j]![i]!));
  const runs = recorded.map((column) => column.map((r) => r.result));
  return { comparison: { ...compareResults(runs), partial: done.partial }, columns, runs, recorded };
}
