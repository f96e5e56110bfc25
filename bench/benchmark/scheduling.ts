import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { resolveWorkload } from '../../workloads/index.ts';
import { median } from '../evidence/median.ts';
import type { ModeTask, TimedMode } from './mode-worker.ts';

/** What virtual time costs beside lockstep, nanoseconds of processor time an event, medians over the rounds. */
export interface SchedulingRow {
  readonly workload: string;
  readonly allocator: string;
  readonly events: number;
  readonly lockstepNs: number;
  readonly virtualNs: number;
  /** Virtual over lockstep, run beside run. */
  readonly ratio: number;
}

/** 32 threads that have nothing in common, each call under an arena's lock; and 32 that give their blocks on. */
const WORKLOADS = (rounds: number) => [`rows:threads=32,rounds=${rounds}`, `larson:threads=32,rounds=${rounds / 400}`];

/** Each row as soon as it is known. */
export async function* measureScheduling(
  allocators: readonly string[],
  rounds: number,
  isQuick: boolean,
  signal: AbortSignal,
): AsyncGenerator<SchedulingRow> {
  for (const workload of WORKLOADS(isQuick ? 800 : 12_000)) {
    const { events } = await resolveWorkload(workload, { signal });
    for (const allocator of allocators) {
      const times: Record<TimedMode, number[]> = { lockstep: [], virtual: [] };
      for (let round = 0; round < rounds; round++) {
        for (const mode of ['lockstep', 'virtual'] as const) {
          times[mode].push((await runOnce({ allocator, events, workload, mode }, signal)) / events.length);
        }
      }
      yield {
        workload,
        allocator,
        events: events.length,
        lockstepNs: median(times.lockstep),
        virtualNs: median(times.virtual),
        ratio: median(times.virtual.map((ns, i) => ns / times.lockstep[i]!)),
      };
    }
  }
}

async function runOnce(task: ModeTask, signal: AbortSignal): Promise<number> {
  const worker = new Worker(new URL('./mode-worker.js', import.meta.url), { workerData: task });
  try {
    const [ns] = (await once(worker, 'message', { signal })) as [number];
    return ns;
  } finally {
    await worker.terminate();
  }
}
