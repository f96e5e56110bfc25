import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { Interrupted, UserError } from '../../sim/contract/assert.ts';
import { hasRoomForThreads } from '../../workloads/files/address-space.ts';
import { createMemoryGate } from '../../workloads/files/memory-gate.ts';
import { Shard, type ShardResult, type ShardTask } from './shard.ts';
import type { ShardOutcome } from './worker.ts';

/** Workers are started from the built files, where there are any. */
const WORKER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? './worker.js' : '../../dist/fleet/engine/worker.js', import.meta.url),
);

export interface ShardRunOptions {
  /** Threads; 0 or 1: everything here. Default: as many as there are processors. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onDone?: ((done: number, total: number) => void) | undefined;
}

/** Plays all shards; results in their order. How many threads there are changes nothing but how long it takes. */
export async function runShards(tasks: readonly ShardTask[], options: ShardRunOptions = {}): Promise<ShardResult[]> {
  const { workers = availableParallelism(), signal, onDone } = options;
  let done = 0;
  if (Math.min(workers, tasks.length) <= 1 || !existsSync(WORKER) || !hasRoomForThreads()) {
    const results: ShardResult[] = [];
    for (const task of tasks) {
      if (signal?.aborted) throw new Interrupted('interrupted');
      results.push(new Shard(task.settings).play(task));
      onDone?.(++done, tasks.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return results;
  }
  const width = Math.min(workers, tasks.length);
  const pool = new Piscina<ShardTask, ShardOutcome>({
    filename: WORKER,
    minThreads: 0, // or another would be started in the place of one that the signal ended
    maxThreads: width,
  });
  const gate = createMemoryGate(width);
  try {
    return await Promise.all(
      tasks.map(async (task) => {
        const outcome = await gate.run((endBy) => playInThread(pool, task, signal, endBy));
        if ('userError' in outcome) throw new UserError(outcome.userError);
        onDone?.(++done, tasks.length);
        return outcome.result;
      }),
    );
  } catch (error) {
    if (signal?.aborted) throw new Interrupted('interrupted');
    throw error;
  } finally {
    await pool.destroy();
  }
}

function playInThread(
  pool: Piscina<ShardTask, ShardOutcome>,
  task: ShardTask,
  signal: AbortSignal | undefined,
  endBy: (end: () => void) => void,
): Promise<ShardOutcome> {
  const ended = new AbortController();
  endBy(() => ended.abort());
  return pool.run(task, { signal: signal ? AbortSignal.any([signal, ended.signal]) : ended.signal });
}
