import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { assert } from '../../sim/contract/assert.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { inTemporaryFolder } from '../../workloads/files/temporary-folder.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { compileNativeReplay, environmentFor } from '../evidence/native/native.ts';
import type { ModelMeasure, ModelTask } from './model-worker.ts';

/** Something that replays one trace again and again from a fresh state. */
export interface Source<Measure extends { readonly ns: number }> {
  measure(): Promise<Measure>;
  close(): Promise<void>;
}

/** A model in a worker of its own. */
export function openModel(task: ModelTask, signal: AbortSignal): Source<ModelMeasure> {
  const worker = new Worker(new URL('./model-worker.js', import.meta.url), { workerData: task });
  return {
    async measure() {
      worker.postMessage('run');
      const [measure] = (await once(worker, 'message', { signal })) as [ModelMeasure];
      return measure;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}

/** The native replay on a trace, ready to be asked for repetitions. */
export interface RealSource {
  measure(touch: Touch): Promise<{ readonly ns: number }>;
  close(): Promise<void>;
}

export async function openReal(
  events: EventBuffer,
  preload: string | undefined,
  signal: AbortSignal,
): Promise<RealSource> {
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, 'trace.htrace');
    await writeTrace(path, events, signal);
    return openRealOn(path, preload, signal);
  });
}

/** The same on a trace that lies in a file. */
export async function openRealOn(path: string, preload: string | undefined, signal: AbortSignal): Promise<RealSource> {
  const child = spawn(compileNativeReplay(), ['--bench', path], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: environmentFor(preload, {}),
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  const next = async () => {
    const { value } = await lines.next();
    signal.throwIfAborted();
    assert(typeof value === 'string', 'the native replay ended in the middle of the benchmark');
    return value;
  };
  assert((await next()).startsWith('ready'), 'the native replay is not ready');
  return {
    async measure(touch) {
      child.stdin.write(`${touch}\n`);
      return { ns: Number((await next()).split(' ')[0]) };
    },
    close() {
      signal.removeEventListener('abort', kill);
      return ended(child);
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin!.end();
  await once(child, 'close');
}
