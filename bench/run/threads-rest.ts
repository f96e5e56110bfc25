import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/**
 * How long a thread has nothing to do before it is ended, at most: the host's compiler may still be at work for it in the background, and Node 20 dies
 * where that needs memory of a worker that is no more (`NodePlatform::GetForegroundTaskRunner`, seen once in some thousand workers).
 */
const REST_MS = 100;
/** Where the host tells which threads are at work: it ends once none has been for so many looks. */
const QUIET_LOOKS = 3;
const LOOK_MS = 2;
const THREADS = '/proc/self/task';

/** Waits until a thread that has had nothing to do since then (of performance.now) may be ended. */
export async function threadsRest(idleSinceMs = performance.now()): Promise<void> {
  for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() - idleSinceMs < REST_MS; ) {
    await setTimeout(LOOK_MS);
    quiet = othersAreAtWork() ? 0 : quiet + 1;
  }
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
