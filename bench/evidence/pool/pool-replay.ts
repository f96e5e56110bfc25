import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { residentPagesOf, sharedPagesOf } from '../../../fleet/engine/layout.ts';
import { type FleetRun, runFleet } from '../../../fleet/run-fleet.ts';
import { parseScenario, type Scenario } from '../../../fleet/scenario/scenario.ts';
import { OP_CLOCK, OP_MASK, OP_SAMPLE } from '../../../sim/contract/event.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import { PAGES } from './pages.ts';
import type { PoolMemory } from './pool-memory.ts';
import { type AnonymousBytes, anonymousOf, type BesideHeap, poolScenario } from './pool-scenario.ts';
import { type PoolOptions, runRealPool } from './real-pool.ts';

const SAMPLES = 600;
/** Of the last mark that is still simulated. */
const AFTER_US = 3e5;
/** Of one script, by a worker of its own: so many that none does something for the first time any more. */
const TRIED_REQUESTS = 3;

/** What `npm run pool` measures on the real pool, beside the traces. */
export interface Measured {
  readonly memory: readonly PoolMemory[];
  readonly beside: BesideHeap;
}

const NOTHING: AnonymousBytes = { shared: 0, own: 0 };

/** Records the pool, and before it for each script a pool of one worker that serves nothing else. */
export async function measure(options: PoolOptions): Promise<Measured> {
  const all: { request: string; rested: AnonymousBytes; served: AnonymousBytes }[] = [];
  for (const request of Object.keys(PAGES)) {
    const folder = join(options.folder, request.replace('.php', ''));
    const one = { folder, workers: 1, counts: [0, TRIED_REQUESTS], parallel: 1, script: request };
    const [rested, served] = await besideHeap(folder, await runRealPool(one));
    all.push({ request, rested: rested!, served: served! });
  }
  const { rested } = all[0]!;
  const first = all.map(({ request, served }) => {
    const writes = Math.max(0, rested.shared - served.shared);
    return { request, anonymous: Math.max(0, served.own - rested.own - writes), writes };
  });
  return { memory: await runRealPool(options), beside: { rested, first } };
}

/** What the only worker of a pool has at each count beyond what the replay of its calls says. */
async function besideHeap(folder: string, memory: readonly PoolMemory[]): Promise<AnonymousBytes[]> {
  const { run, marksUs } = await replay(folder, { memory, beside: { rested: NOTHING, first: [] } });
  return memory.map(({ workers }, i) => {
    const sample = run.samples.findIndex(({ atUs }) => atUs > marksUs[i]!);
    const layout = run.pools[0]!.layoutAt(0, sample)!;
    const shared = sharedPagesOf(layout) * 4096;
    const real = anonymousOf(workers[0]!);
    return { shared: real.shared - shared, own: real.own - (residentPagesOf(layout) * 4096 - shared) };
  });
}

export interface Replay {
  readonly scenario: Scenario;
  readonly run: FleetRun;
  /** The measured memory, workers in the order of the scenario's; and when each was read. */
  readonly memory: readonly PoolMemory[];
  readonly marksUs: readonly number[];
}

/** The recording in a folder as a scenario, which is written beside it and run. */
export async function replay(folder: string, { memory, beside }: Measured): Promise<Replay> {
  const { processes } = JSON.parse(readFileSync(join(folder, 'pool.json'), 'utf8')) as {
    processes: { pid: number; trace: string }[];
  };
  const recorded = processes.slice(1);
  const ordered = memory.map((own) => ({
    ...own,
    workers: recorded.map(({ pid }) => own.workers.find((worker) => worker.pid === pid)!),
  }));
  const marksUs = await markTimes(recorded.map(({ trace }) => join(folder, trace)));
  const path = join(folder, 'pool.yaml');
  const text = poolScenario(ordered, beside, marksUs.at(-1)! + AFTER_US, SAMPLES);
  writeFileSync(path, text);
  const scenario = parseScenario(text, path);
  return { scenario, run: await runFleet(scenario), memory: ordered, marksUs };
}

/**
 * When the marks were set. A mark has the time of what its process did last before it: of all processes the latest is nearest. None of them
 * did anything for a while then.
 */
async function markTimes(paths: readonly string[]): Promise<number[]> {
  const latest: number[] = [];
  for (const path of paths) {
    const { head, a, b, labels, length } = await readTrace(path);
    let ns = 0;
    for (let row = 0; row < length; row++) {
      const op = head[row]! & OP_MASK;
      if (op === OP_CLOCK) ns += b[row]! * 2 ** 32 + a[row]!;
      const mark = op === OP_SAMPLE ? /^mark(\d+)$/.exec(labels[a[row]!]!) : null;
      if (mark) latest[Number(mark[1]) - 1] = Math.max(latest[Number(mark[1]) - 1] ?? 0, ns / 1e3);
    }
  }
  return latest;
}
