import { availableParallelism } from 'node:os';
import { Interrupted } from '../../sim/contract/assert.ts';
import { runShards } from '../engine/run-shards.ts';
import type { ShardResult, ShardTask } from '../engine/shard.ts';
import type { PoolRun } from './pool-run.ts';

export interface PlayOptions {
  /** Threads; default: as many as there are processors. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Between 0 and 1. */
  readonly onProgress?: (share: number) => void;
}

/** So long without a breath. */
const BREATH_MS = 50;

interface Part {
  readonly pool: PoolRun;
  readonly slots: readonly number[];
  readonly task: ShardTask;
}

/**
 * Plays the heaps of all workers. A pool whose requests meet known heaps is played here, with one memory for all of its workers; what
 * has to be played request by request is cut into parts for threads.
 *
 *   pool ── here, from memory ──┬── all met: done
 *                               └── hardly anything is met, or time decides ──► threads
 *
 * Throws Interrupted.
 */
export async function playPools(pools: readonly PoolRun[], options: PlayOptions): Promise<void> {
  const { workers = availableParallelism(), signal, onProgress } = options;
  const total = pools.reduce((sum, { tasks }) => sum + tasks.length, 0);
  const parts: Part[] = [];
  let done = 0;
  for (const pool of pools) {
    if (pool.recorded) {
      for (const [slot, task] of pool.recordedTasks().entries()) parts.push({ pool, slots: [slot], task });
      continue;
    }
    const first = await playHere(pool, workers, signal);
    done += first;
    onProgress?.(done / total);
    for (const part of pool.strangeTasks(first, workers)) parts.push({ pool, ...part });
  }
  const results = await runShards(
    parts.map(({ task }) => task),
    { workers, signal, onDone: (over, all) => onProgress?.((done + ((total - done) * over) / all) / total) },
  );
  for (const [i, { pool, slots }] of parts.entries()) pool.take(slots, results[i]!);
}

/** Plays a pool's workers for as long as their requests are mostly met; without threads, all of them. @returns how many. */
async function playHere(pool: PoolRun, workers: number, signal: AbortSignal | undefined): Promise<number> {
  if (pool.tasks.length === 0) return 0;
  const shard = pool.openShard();
  if (!shard.memo.compares && workers > 1) return 0;
  // One heap's code runs faster than two heaps' in the same thread: without other threads this one goes on.
  const result = await breathing(shard.playing(pool.wholeTask(), workers > 1), signal);
  const slots = [...result.timelines.keys()];
  pool.take(slots, result);
  return slots.length;
}

async function breathing(steps: Generator<void, ShardResult>, signal: AbortSignal | undefined): Promise<ShardResult> {
  for (let breathed = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - breathed < BREATH_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw new Interrupted('interrupted');
    breathed = performance.now();
  }
}
