import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { pluginFiles } from '../../run/plugin-files.ts';

/**
 * So long a thread has nothing to do before it is ended: the host's compiler may still be at work for it in the background, and Node 20 dies
 * where that needs memory of a worker that is no more (`NodePlatform::GetForegroundTaskRunner`, seen once in some thousand workers).
 */
const REST_MS = 100;

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
  const restMs = REST_MS - (performance.now() - idleSinceMs);
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  await thread.destroy();
}
