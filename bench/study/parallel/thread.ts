import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { pluginFiles } from '../../run/plugin-files.ts';

/**
 * How long a thread has nothing to do before it is ended, at most: the host's compiler may still be at work for it in the background, and Node 20 dies
 * where that needs memory of a worker that is no more (`NodePlatform::GetForegroundTaskRunner`, seen once in some thousand workers).
 */
const REST_MS = 100;
/** Where the host tells which threads are at work: it ends once none has been for so many looks. */
const QUIET_LOOKS = 3;
const LOOK_MS = 2;
const THREADS = '/proc/self/task';

/** The built file of `path` (from bench/study, without its ending), from which a thread can start; it need not exist. */
export const threadFile = (path: string): string =>
  fileURLToPath(
    new URL(
      import.meta.url.includes('/dist/') ? `../${path}.js` : `../../../dist/bench/study/${path}.js`,
      import.meta.url,
    ),
  );

/** One thread that answers tasks of one kind; it starts at once. */
export const startThread = <Task, Outcome>(filename: string): Piscina<Task, Outcome> =>
  new Piscina<Task, Outcome>({
    filename,
    minThreads: 1,
    maxThreads: 1,
    workerData: { plugins: pluginFiles() },
  });

/** Ends the thread, which has had nothing to do since then (of performance.now). */
export async function retire<Task, Outcome>(
  thread: Piscina<Task, Outcome>,
  idleSinceMs = performance.now(),
): Promise<void> {
  for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() - idleSinceMs < REST_MS; ) {
    await setTimeout(LOOK_MS);
    quiet = othersAreAtWork() ? 0 : quiet + 1;
  }
  await thread.destroy();
}

/** Whether a thread of this process besides the first runs or would like to; true where the host does not tell. */
function othersAreAtWork(): boolean {
  try {
    return readdirSync(THREADS).some((id) => id !== `${process.pid}` && isAtWork(`${THREADS}/${id}/stat`));
  } catch {
    return true;
  }
}

/** proc(5): the state stands behind the name, which is in parentheses and may have some itself. */
function isAtWork(statFile: string): boolean {
  const stat = readFileSync(statFile, 'latin1');
  return /^[RD]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}
