import type { FleetRun } from '../run-fleet.ts';
import { type Need, pagesAtRisk } from './demand.ts';
import type { FleetFigures } from './figures.ts';

/** What a machine of so many workers needs over one time, at one risk. */
export interface FleetPlanRow {
  readonly setting: string;
  readonly pool: string;
  /** Its cgroup in the scenario; null: none. */
  readonly group: string | null;
  readonly horizon: string;
  readonly risk: number;
  /** Private memory of a worker between requests, on average at the time when they keep most, and of one in the largest request. */
  readonly workerBytes: number;
  readonly workerPeakBytes: number;
  /** What the requests in progress need at once beyond that, at the risk that they need more at some time before the horizon. */
  readonly inProgressBytes: number;
  /** Of the machine beside this pool's workers: shared memory once, other pools, services, the kernel. */
  readonly besideBytes: number;
  /** Workers that fit with that risk, and with all of them at their peak at once. */
  readonly fits: number;
  readonly fitsAtPeak: number;
  /** As a memory.max for `limitWorkers` workers, with all that is in their group. */
  readonly limitBytes: number;
  /** Fewer than the scenario has (`workers`) where nothing else than a smaller pool came to the horizon without a kill; in progress is theirs too. */
  readonly limitWorkers: number;
  readonly workers: number;
  /** … where several pools are in it: with what the requests in progress of all of them need at once, each at that risk. */
  readonly groupLimitBytes: number;
  /** Whether `fits` and `limitBytes` were tried on the machine: nobody is killed there, and somebody one step further. */
  readonly tried: boolean;
  /** In the scenario as it is. */
  readonly killed: number;
  /** The allocator's part of a request. */
  readonly allocatorUs: number;
  /** Whether no other setting needs less memory and less time over the same time. */
  readonly front: boolean;
}

/** What a pool needs, as far as a run says it. */
export interface PoolNeeds {
  /** The sample at which workers keep most: those that are recycled keep little at many a time, the last one among them. */
  readonly fullestSample: number;
  readonly keptBytes: number;
  readonly peakBytes: number;
  readonly besideBytes: number;
  /** What there is for its workers. */
  readonly roomBytes: number;
  readonly demandPages: number;
  /** Of one request, beyond what its worker keeps. */
  readonly mostPages: number;
  readonly allocatorUs: number;
}

const PAGE = 4096;

export function poolNeeds(run: FleetRun, figures: FleetFigures, index: number, risk: number): PoolNeeds {
  const pool = figures.pools[index]!;
  const { sample: fullestSample, keptBytes } = fullest(run, figures, index);
  const endUs = run.samples.at(-1)!.atUs;
  let mostPages = 0;
  for (const { pages } of needsOf(run, index)) mostPages = Math.max(mostPages, pages);
  const besideBytes = Math.max(
    0,
    figures.totalBytes - figures.availableBytes.trend.endBytes - pool.privateBytes.trend.endBytes,
  );
  return {
    fullestSample,
    keptBytes,
    peakBytes: keptBytes + mostPages * PAGE,
    besideBytes,
    roomBytes: Math.min(figures.totalBytes - besideBytes, groupRoom(figures, run, index)),
    demandPages: pagesAtRisk(needsOf(run, index), run.scenario, endUs, risk),
    mostPages,
    allocatorUs: pool.requests === 0 ? 0 : pool.requestUs / pool.requests,
  };
}

/** When the pool's workers keep most, without what requests in progress have, and how much each does. */
function fullest(run: FleetRun, figures: FleetFigures, index: number): { sample: number; keptBytes: number } {
  const { timelines } = run.pools[index]!;
  const { values } = figures.pools[index]!.privateBytes;
  const found = { sample: 0, keptBytes: 0 };
  let most = -1;
  values.forEach((bytes, sample) => {
    const within = timelines.reduce((sum, { withinPages }) => sum + withinPages[sample]!, 0);
    const kept = bytes - within * PAGE;
    if (kept < most) return;
    most = kept;
    found.sample = sample;
    found.keptBytes = kept / Math.max(1, timelines.filter(({ layout }) => layout[sample]! >= 0).length);
  });
  return found;
}

/** Workers that a room takes with so much in progress. */
export function workersIn(roomBytes: number, { keptBytes, demandPages }: PoolNeeds): number {
  return Math.max(0, Math.floor((roomBytes - demandPages * PAGE) / Math.max(PAGE, keptBytes)));
}

/** What the pool's group leaves for its workers; Infinity without a limit. */
function groupRoom(figures: FleetFigures, run: FleetRun, index: number): number {
  const { group } = run.pools[index]!.pool;
  const ownBytes = figures.pools[index]!.privateBytes.trend.endBytes;
  const rooms = figures.groups
    .filter(({ name, maxBytes }) => maxBytes !== null && (group === name || group?.startsWith(`${name}/`)))
    .map(({ maxBytes, firmBytes }) => maxBytes! - Math.max(0, firmBytes.trend.endBytes - ownBytes));
  return Math.min(Infinity, ...rooms);
}

/** What each request needs at its peak beyond what its worker keeps at the end. */
function* needsOf(run: FleetRun, index: number): Generator<Need, void> {
  const pool = run.pools[index]!;
  const endUs = run.samples.at(-1)!.atUs;
  for (const [slot, task] of pool.tasks.entries()) {
    const { peakPages, residentPages } = pool.timelines[slot]!;
    let count = task.startUs.length;
    while (count > 0 && task.startUs[count - 1]! > endUs) count--;
    const kept = count > 0 ? residentPages[count - 1]! : pool.startPages;
    for (let i = 0; i < count; i++) {
      yield {
        kind: pool.kinds[task.request[i]!] ?? -1,
        pages: Math.max(0, peakPages[i]! - kept),
        startUs: task.startUs[i]!,
        endUs: task.endUs[i]!,
      };
    }
  }
}
