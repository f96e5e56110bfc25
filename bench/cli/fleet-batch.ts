import type { FleetExecutor } from '../../fleet/index.ts';
import { Interrupted } from '../../sim/contract/assert.ts';
import { withFiles } from '../study/fleet/with-files.ts';
import { orFinished } from '../study/parallel/finished.ts';
import { runAll } from '../study/parallel/run-all.ts';
import { type EngineArguments, inBatch } from './batch-options.ts';
import { startShareProgress } from './run-progress.ts';

/** Makes the runs of a fleet: behind a queue beside each other, here one after another, each on all processors. */
export function fleetExecutor(argv: EngineArguments): FleetExecutor {
  return async (fleetTasks) => {
    const isHere = argv.engine === undefined;
    const tasks = (await withFiles(fleetTasks)).map((task) =>
      argv.workers === undefined ? task : { ...task, threads: argv.workers },
    );
    return inBatch(
      argv,
      tasks.length,
      async (batch) => {
        const outcome = await orFinished(runAll(tasks, isHere ? { ...batch, workers: 1 } : batch));
        if (fleetTasks[0]!.asks.whole && !outcome.runs[0] && batch.signal?.aborted)
          throw new Interrupted('interrupted');
        return outcome;
      },
      isHere ? startShareProgress : undefined,
    );
  };
}
