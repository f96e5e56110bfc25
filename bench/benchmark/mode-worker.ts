import { parentPort, workerData } from 'node:worker_threads';
import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { runInMode } from '../run/run-in-mode.ts';

export type TimedMode = 'lockstep' | 'virtual';

/** One run in a thread of its own, as a command does it: from cold code to the result. */
export interface ModeTask {
  readonly allocator: string;
  readonly events: EventBuffer;
  readonly workload: string;
  readonly mode: TimedMode;
}

const CPUS = 32;
const { allocator, events, workload, mode } = workerData as ModeTask;
const started = process.cpuUsage();
await runInMode({ events, workload, mode, cpus: CPUS, spec: parseAllocator(allocator, CPUS) });
const { user, system } = process.cpuUsage(started);
parentPort!.postMessage((user + system) * 1000);
