import { setImmediate } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { UserError } from '../../../sim/contract/assert.ts';
import { systemError } from '../../../workloads/files/system-error.ts';
import { type BoundedFolder, cacheFolder, openBoundedFolder } from './bounded-folder.ts';
import { hashBeside } from './hash-beside.ts';
import { decodePlain, encodePlain } from './plain-json.ts';
import { describeTask, eventsWith, runKey } from './run-key.ts';
import type { OutcomeOf, Task } from './task.ts';
import { hasTraceHash } from './trace-content.ts';

/** Runs that came to their end, kept by what they are: a batch that was ended goes on from them. */
export interface FinishedRuns {
  get<T extends Task>(task: T): Promise<OutcomeOf<T> | undefined>;
  put<T extends Task>(task: T, outcome: OutcomeOf<T>): Promise<void>;
  /** All runs have come to their end: those are not kept whose trace would have to be hashed for it yet. */
  giveUp(): void;
}

/** A batch shorter than this is made again as fast as it is read. */
const KEEP_AFTER_MS = 2000;
/** A trace is hashed in 20 ns a row (docs/results/speed.md): a tenth of what is kept, at most. */
const KEEP_AFTER_NS_PER_ROW = 200;
const KEPT_BYTES = 256 * 2 ** 20;
const SUFFIX = '.json.gz';

function keepAfterMs(task: Task): number {
  const rows = eventsWith(task).reduce((sum, events) => sum + (hasTraceHash(events) ? 0 : events.length), 0);
  return Math.max(KEEP_AFTER_MS, (rows * KEEP_AFTER_NS_PER_ROW) / 1e6);
}

/**
 * In the folder `runs` of the cache: taken from there with `resume`, put there with it or once the batch has taken long enough. Throws a UserError where they are asked for and the folder can not be had.
 */
export function openFinishedRuns(resume: boolean): FinishedRuns {
  const started = performance.now();
  let folder: BoundedFolder | undefined;
  let refused = false;

  function opened(): BoundedFolder | undefined {
    if (refused) return undefined;
    try {
      folder ??= openBoundedFolder(cacheFolder('runs'), KEPT_BYTES);
    } catch (error) {
      refused = true;
      if (resume) {
        throw new UserError(
          `--resume: found ${systemError(error)} at ${cacheFolder('runs')}, expected a folder for finished runs`,
        );
      }
    }
    return folder;
  }

  const ended = new AbortController();

  /** False where that was given up. */
  async function hashAll(task: Task): Promise<boolean> {
    const isKnown = () => eventsWith(task).every(hasTraceHash);
    if (isKnown()) return true;
    await setImmediate(); // the run may have been the last one
    if (ended.signal.aborted) return false;
    await Promise.all(eventsWith(task).map((events) => hashBeside(events, ended.signal)));
    return !ended.signal.aborted || isKnown();
  }

  return {
    async get<T extends Task>(task: T) {
      if (!resume) return undefined;
      await hashAll(task);
      const name = runKey(describeTask(task)) + SUFFIX;
      const bytes = opened()?.read(name);
      if (!bytes) return undefined;
      try {
        return decodePlain<OutcomeOf<T>>(gunzipSync(bytes).toString());
      } catch {
        folder?.remove(name); // damaged: it is made again
        return undefined;
      }
    },
    async put(task, outcome) {
      if (!resume && performance.now() - started < keepAfterMs(task)) return;
      try {
        if (!opened() || !(await hashAll(task))) return;
        opened()?.write(runKey(describeTask(task)) + SUFFIX, gzipSync(encodePlain(outcome), { level: 1 }));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        refused = true; // a full disk: the batch goes on without it
      }
    },
    giveUp: () => ended.abort(),
  };
}
