import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { pluginFiles } from '../../run/plugin-files.ts';
import { threadsRest } from '../../run/threads-rest.ts';

/** The built file of `path` (from bench/study, without its ending), from which a thread can start; it need not exist. */
export const threadFile = (path: string): string =>
  fileURLToPath(
    new URL(
      import.meta.url.includes('/dist/') ? `../${path}.js` : `../../../dist/bench/study/${path}.js`,
      import.meta.url,
    ),
  );

/** One thread that answers tasks of one kind; it starts at once, with `data` as part of its workerData. */
export const startThread = <Task, Outcome>(filename: string, data: object = {}): Piscina<Task, Outcome> =>
  new Piscina<Task, Outcome>({
    filename,
    minThreads: 1,
    maxThreads: 1,
    workerData: { plugins: pluginFiles(), ...data },
  });

/** Threads that were told to end. A pool that is told twice takes the end for a crash, and starts another thread in its place. */
const ends = new WeakMap<object, Promise<void>>();

export function endThread<Task, Outcome>(thread: Piscina<Task, Outcome>): Promise<void> {
  const end = ends.get(thread) ?? thread.destroy();
  ends.set(thread, end);
  return end;
}

/** One task in the thread, which the signal ends. The pool itself is not told of the signal: it would start another thread in its place. */
export async function runInThread<Task, Outcome>(
  thread: Piscina<Task, Outcome>,
  task: Task,
  signal?: AbortSignal,
): Promise<Outcome> {
  signal?.throwIfAborted();
  const end = () => void endThread(thread);
  signal?.addEventListener('abort', end, { once: true });
  try {
    return await thread.run(task);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** Ends the thread, which has had nothing to do since then (of performance.now). */
export async function retire<Task, Outcome>(
  thread: Piscina<Task, Outcome>,
  idleSinceMs = performance.now(),
): Promise<void> {
  await threadsRest(idleSinceMs);
  await endThread(thread);
}
