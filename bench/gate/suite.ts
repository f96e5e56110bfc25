import { existsSync } from 'node:fs';
import { cpus as hostCpus } from 'node:os';
import { join } from 'node:path';
import { parseAllocator } from '../../allocators/spec.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { isBuiltIn, resolveWorkload } from '../../workloads/index.ts';
import { chooseTime } from '../run/choose-time.ts';
import type { RunResult } from '../run/result.ts';
import type { Suite } from '../schema/gate.ts';
import { upToMoment } from '../study/explain/moment/up-to-moment.ts';
import { orFinished } from '../study/parallel/finished.ts';
import { type RunAllOptions, runAll } from '../study/parallel/run-all.ts';
import type { RunTask } from '../study/parallel/run-task.ts';
import { groupByRun } from './run-key.ts';

/** A suite as far as it came: `partial` where Ctrl-C ended it. */
export interface SuiteOutcome {
  readonly runs: RunResult[];
  readonly partial: boolean;
}

/**
 * Runs every workload of the suite under every allocator, mode, number of processors and seed. A trace file is looked
 * for beside the suite file first, and keeps the name that the suite gives it wherever the suite lies.
 */
export async function runSuite(suite: Suite, folder: string, options: RunAllOptions = {}): Promise<RunResult[]> {
  return (await runAll(await tasksOf(suite, folder), options)).map((run) => run.result);
}

/** The same; an interruption leaves the runs of which all seeds had finished. */
export async function runSuiteInPart(suite: Suite, folder: string, options: RunAllOptions): Promise<SuiteOutcome> {
  const done = await orFinished(runAll(await tasksOf(suite, folder), options));
  const finished = done.runs.flatMap((run) => run?.result ?? []);
  const seeds = suite.seeds?.length ?? 1;
  const whole = [...groupByRun(finished).values()].filter((runs) => runs.length === seeds);
  return { runs: done.partial ? whole.flat() : finished, partial: done.partial };
}

async function tasksOf(suite: Suite, folder: string): Promise<RunTask[]> {
  for (const allocator of suite.allocators) parseAllocator(allocator, 1);
  const tasks: RunTask[] = [];
  for (const name of suite.workloads) {
    const beside = join(folder, name);
    for (const seed of suite.seeds ?? [0]) {
      const loaded = await resolveWorkload(existsSync(beside) ? beside : name, { seed });
      const { events, until } = await upToMoment(
        { ...loaded, workload: loaded.name, cpus: suite.cpus?.[0] ?? loaded.cpus ?? hostCpus().length },
        suite.at,
        suite.allocators[0]!,
      );
      for (const asked of suite.modes ?? [undefined]) {
        const time = chooseTime(loaded.events, loaded.time, { mode: asked });
        for (const cpus of suite.cpus ?? [loaded.cpus ?? hostCpus().length]) {
          for (const allocator of suite.allocators) {
            tasks.push({
              events,
              ...(until !== undefined && { until }),
              ...(!existsSync(beside) && isBuiltIn(name) && until === undefined && { generated: true }),
              workload: existsSync(beside) ? name : loaded.name,
              parameters: loaded.parameters,
              start: loaded.start,
              allocator,
              cpus,
              ...time,
              seed,
              kernel: { version: suite.kernel ?? KERNEL_DEFAULTS.version },
            });
          }
        }
      }
    }
  }
  return tasks;
}
