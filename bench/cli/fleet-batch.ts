import type { FleetExecutor } from '../../fleet/index.ts';
import { withFiles } from '../study/fleet/with-files.ts';
import { orFinished } from '../study/parallel/finished.ts';
import { runAll } from '../study/parallel/run-all.ts';
import { runBeside } from '../study/parallel/run-beside.ts';
import { type EngineArguments, inBatch } from './batch-options.ts';
import { startShareProgress } from './run-progress.ts';

/** Makes the runs of a fleet: behind a queue, or here beside each other. */
export function fleetExecutor(argv: EngineArguments): FleetExecutor {
  return async (fleetTasks) => {
    const isHere = argv.engine === undefined;
    const tasks = await withFiles(fleetTasks);
    const total = tasks.length;
    return inBatch(
      argv,
      total,
      (batch) => (isHere ? runBeside(tasks, batch) : orFinished(runAll(tasks, batch))),
      isHere ? startShareProgress : undefined,
    );
  };
}
