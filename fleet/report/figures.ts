import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { Holdings } from '../engine/holdings.ts';
import { isWorkerOf } from '../machine/sample.ts';
import { mostAdded } from '../pool/heap-before.ts';
import type { LogUse } from '../requests/arrival-logs.ts';
import type { FleetRun } from '../run-fleet.ts';
import { type GroupFigures, groupFigures } from './group-figures.ts';
import {
  type KillFigures,
  killFigures,
  lowestFigures,
  lowestGroupFigures,
  type MomentFigures,
} from './kill-figures.ts';
import { type GrowingRegion, growingRegions, type ResidentSeries, residentOf, sharedBytes } from './pool-memory.ts';
import { eachTrend, type MakeSeries, type OfRequests, ofRequests, type Series, seriesOver } from './series.ts';

export interface PoolFigures extends ResidentSeries {
  readonly name: string;
  readonly allocator: string;
  readonly workers: number;
  readonly mostWorkers: number;
  readonly requests: number;
  readonly refused: number;
  readonly refusedUs: readonly [number, number] | undefined;
  readonly unserved: number;
  readonly mostBusy: number;
  /** Waiting for a worker. */
  readonly waitUs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Requests that were replayed, and those that met a heap in a state that had been met before. */
  readonly replayed: number;
  readonly met: number;
  readonly compares: boolean;
  /** Whether its workers do what recorded ones did. */
  readonly isRecorded: boolean;
  readonly failures: number;
  readonly recycled: number;
  /** … of these for having grown too large; and the most requests that one worker served. */
  readonly recycledBySize: number;
  readonly mostServed: number;
  /** Workers that began after the start. */
  readonly started: number;
  /** Private anonymous memory of all workers. */
  readonly privateBytes: Series;
  /** Whether what a worker keeps climbs, and not the number of them alone. */
  readonly isClimbing: boolean;
  /** Whether that climbs beside copies of what was preloaded: heaps do. */
  readonly isHeapClimbing: boolean;
  /** … at most, between samples too. */
  readonly mostPrivateBytes: number;
  /** … and by how much an hour it climbed until somebody was killed first; 0: it did not, or nobody was. */
  readonly climbedPerHourBytes: number;
  /** What is filled of their shared regions at the end. */
  readonly sharedBytes: number;
  /** Of a heap: the mean at the end, the most it keeps between requests, and the most within one. */
  readonly heapMeanBytes: number;
  readonly heapKeptBytes: number;
  readonly heapPeakBytes: number;
  /** The most that a request adds to the heap that it meets. */
  readonly requestAddsBytes: number;
  /** Address space of the largest worker at the end. */
  readonly sizeBytes: number;
  readonly holdings: Holdings | undefined;
  /** Preloaded pages that a worker has written, on average at the end, and all of them. */
  readonly copiedBytes: number;
  readonly preloadBytes: number;
  /** … and that a worker comes to write, if max_requests ends it before it has written all. */
  readonly mostCopiedBytes: number;
  /** Shared regions that requests add to. */
  readonly growing: readonly GrowingRegion[];
  /** What the allocator's calls cost a request, on average, by the scenario's name of it. */
  readonly allocatorUs: Readonly<Record<string, number>>;
  /** … and of all requests together. */
  readonly requestUs: number;
}

export interface FleetFigures {
  readonly timesUs: readonly number[];
  readonly usedBytes: Series;
  readonly availableBytes: Series;
  /** MemAvailable at its lowest, between samples too. */
  readonly lowestAvailableBytes: number;
  /** The machine then; nothing where that was after a kill, or while there was plenty. */
  readonly lowest: MomentFigures | undefined;
  /** The same of the group of which the smallest share was left; availableBytes are the machine's. */
  readonly lowestInGroup: (MomentFigures & { readonly group: string }) | undefined;
  readonly anonBytes: Series;
  readonly activeAnonBytes: Series;
  readonly shmemBytes: Series;
  readonly cacheBytes: Series;
  readonly freeBytes: Series;
  /** Pages that reclaim took from their owners, all of them. */
  readonly takenBackBytes: number;
  readonly slabBytes: Series;
  readonly pageTableBytes: Series;
  readonly swapUsedBytes: Series;
  readonly totalBytes: number;
  readonly pools: readonly PoolFigures[];
  /** Private memory of all pools' workers at once, at most, between samples too. */
  readonly mostPrivateBytes: number;
  /** Private anonymous memory of each service. */
  readonly services: readonly Series[];
  readonly groups: readonly GroupFigures[];
  readonly kills: number;
  readonly firstKillUs: number | undefined;
  readonly firstKill: KillFigures | undefined;
  readonly killed: readonly string[];
  /** Requests that somebody served who was killed. */
  readonly lostRequests: number;
  /** How often each of them was. */
  readonly killsOf: Readonly<Record<string, number>>;
  readonly swapBytes: number;
  /** Read back from it in all. */
  readonly swappedInBytes: number;
  /** Pages of files that were read again after they had been evicted. */
  readonly refaultedBytes: number;
  /** Who was refused a fork, or memory. */
  readonly refusals: readonly { readonly who: string; readonly text: string }[];
  /** What arrival logs gave. */
  readonly logs: readonly LogUse[];
}

export function figuresOf(run: FleetRun): FleetFigures {
  const { samples, scenario } = run;
  const timesUs = samples.map(({ atUs }) => atUs);
  const series = seriesOver(timesUs);
  const info = (name: string) =>
    series(
      name,
      samples.map(({ meminfo }) => meminfo[name] ?? 0),
    );
  const counter = (name: string) => samples.at(-1)!.counters[name] ?? 0;
  const totalBytes = samples[0]!.meminfo['MemTotal']!;
  const available = info('MemAvailable');
  const kills = run.events.filter(({ kind }) => kind === 'oom-kill');
  const privateOf = (isOwn: (name: string) => boolean) =>
    samples.map(({ processes }) => processes.reduce((sum, p) => sum + (isOwn(p.name) ? p.anonBytes : 0), 0));
  return {
    timesUs,
    availableBytes: available,
    lowestAvailableBytes: Math.min(...samples.map((sample) => sample.lowestAvailableBytes)),
    lowest: run.worst.lowest && kills.length === 0 ? lowestFigures(run.worst.lowest, scenario) : undefined,
    lowestInGroup:
      run.worst.lowestInGroup && kills.length === 0 ? lowestGroupFigures(run.worst.lowestInGroup, scenario) : undefined,
    usedBytes: series(
      'used',
      available.values.map((bytes) => totalBytes - bytes),
      ofRequests(run, () => true),
    ),
    anonBytes: info('AnonPages'),
    activeAnonBytes: info('Active(anon)'),
    shmemBytes: info('Shmem'),
    cacheBytes: series(
      'page cache',
      samples.map(({ meminfo }) => (meminfo['Cached'] ?? 0) - (meminfo['Shmem'] ?? 0) + (meminfo['Buffers'] ?? 0)),
    ),
    freeBytes: info('MemFree'),
    takenBackBytes: (counter('pgsteal_kswapd') + counter('pgsteal_direct')) * 4096,
    slabBytes: info('Slab'),
    pageTableBytes: info('PageTables'),
    swapUsedBytes: series(
      'swap',
      samples.map(({ meminfo }) => (meminfo['SwapTotal'] ?? 0) - (meminfo['SwapFree'] ?? 0)),
    ),
    totalBytes,
    swappedInBytes: counter('pswpin') * 4096,
    refaultedBytes: counter('workingset_refault_file') * 4096,
    swapBytes: samples[0]!.meminfo['SwapTotal'] ?? 0,
    pools: run.pools.map((_, i) => poolFigures(run, i, series)),
    mostPrivateBytes: run.worst.allPrivateBytes,
    services: scenario.services.map(({ name }) =>
      series(
        name,
        privateOf((own) => own === name || own === `${name}-snapshot`),
      ),
    ),
    groups: scenario.cgroups.map(({ name }) => groupFigures(run, name, series)),
    kills: kills.length,
    firstKillUs: kills[0]?.atUs,
    firstKill: run.firstKill && killFigures(run.firstKill, sampleBefore(run), scenario),
    killsOf: countsOf(kills.map(({ who }) => who)),
    lostRequests: kills.filter(({ request }) => request !== undefined).length,
    killed: [...new Set(kills.map(({ who }) => who))],
    refusals: run.events.filter(({ kind }) => kind === 'no-memory').map(({ who, text }) => ({ who, text })),
    logs: run.arrivals.logs,
  };
}

/** The last sample before somebody was killed first. */
function sampleBefore({ samples, firstKill }: FleetRun): FleetRun['samples'][number] {
  return samples[Math.max(0, firstKill!.beforeSample - 1)]!;
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** In place of a number of the scenario's requests. */
const RECORDED = -1;

function poolFigures(run: FleetRun, index: number, series: MakeSeries): PoolFigures {
  const pool = run.pools[index]!;
  const { name, preload } = pool.pool;
  const own = (process: string) => isWorkerOf(process, name);
  const workersAt = run.samples.map(({ processes }) => processes.filter((p) => own(p.name)));
  const preloaded = preload ? sizeBytes(preload.size)! : 0;
  const last = workersAt.at(-1)!;
  const timesUs = run.samples.map(({ atUs }) => atUs);
  const workers = workersAt.map((list) => list.length);
  const ofThem = ofRequests(run, (one) => one.name === name);
  const privateBytes = series(
    `workers of ${name}`,
    workersAt.map((list) => list.reduce((sum, p) => sum + p.privateAnonBytes, 0)),
    ofThem,
  );
  const waits = pool.schedule.waitUs.slice().sort();
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
  const kept = Math.max(pool.startPages, ...pool.timelines.map(({ residentPages }) => maximum(residentPages)));
  const peak = Math.max(kept, ...pool.timelines.map(({ peakPages }) => maximum(peakPages)));
  const recycledBySize = pool.timelines.reduce((sum, { recycled }) => sum + recycled.length, 0);
  const heaps = pool.holdings;
  const growing = growingRegions(run, index);
  const largest = heaps.length === 0 ? undefined : heaps.reduce((x, y) => (heapBytes(y) > heapBytes(x) ? y : x));
  return {
    name,
    allocator: pool.settings.allocator,
    workers: last.length,
    // Between samples there may be more.
    mostWorkers: Math.max(pool.schedule.mostBusy, ...workersAt.map((list) => list.length)),
    requests: pool.schedule.waitUs.length,
    refused: pool.schedule.refused,
    refusedUs: pool.schedule.refusedUs,
    unserved: pool.schedule.unserved,
    mostBusy: pool.schedule.mostBusy,
    waitUs: { p50: at(0.5), p99: at(0.99), max: waits.at(-1) ?? 0 },
    replayed: pool.played,
    met: pool.met,
    compares: pool.compares,
    isRecorded: pool.recorded !== undefined,
    failures: pool.failures,
    recycled:
      recycledBySize +
      pool.schedule.slots.reduce(
        (sum, { lives }) => sum + lives.filter(({ ending }) => ending === 'max_requests').length,
        0,
      ),
    recycledBySize,
    mostServed: Math.max(
      0,
      ...pool.schedule.slots.flatMap(({ lives }) => lives.map(({ first, last: end }) => end - first)),
    ),
    started: pool.schedule.slots.reduce(
      (sum, { lives }) => sum + lives.filter(({ bornUs }) => bornUs > 0).length,
      recycledBySize,
    ),
    privateBytes,
    isClimbing:
      privateBytes.kept.shape === 'climbs' &&
      eachTrend(timesUs, privateBytes.values, workers, ofThem)?.shape === 'climbs',
    isHeapClimbing: isHeapClimbing(run, index, privateBytes, workers, ofThem),
    mostPrivateBytes: run.worst.privateBytes[index]!,
    climbedPerHourBytes: climbedUntilKill(run, privateBytes, workers, ofThem),
    ...residentOf(workersAt, name, series),
    sharedBytes: sharedBytes(pool.pool, growing),
    heapMeanBytes: heaps.length === 0 ? 0 : heaps.reduce((sum, own) => sum + heapBytes(own), 0) / heaps.length,
    heapKeptBytes: kept * 4096,
    heapPeakBytes: peak * 4096,
    requestAddsBytes: mostAdded(pool) * 4096,
    sizeBytes: Math.max(0, ...last.map((p) => p.sizeBytes)),
    holdings: largest,
    copiedBytes: preload ? meanCopied(run, index) : 0,
    preloadBytes: preloaded,
    mostCopiedBytes: preload ? pool.preloadPagesAfter(pool.pool.pm.max_requests || Infinity) * 4096 : 0,
    growing,
    ...allocatorTimes(run, index),
  };
}

/** What each worker keeps beside its copies of preloaded pages. */
function isHeapClimbing(
  { pools, samples }: FleetRun,
  index: number,
  { values }: Series,
  workers: readonly number[],
  of: OfRequests,
): boolean {
  const pool = pools[index]!;
  if (!pool.pool.preload) return false;
  const timesUs = samples.map(({ atUs }) => atUs);
  const beside = values.map((bytes, sample) => {
    const copied = pool.timelines.reduce(
      (sum, { layout }, slot) => (layout[sample]! < 0 ? sum : sum + pool.ownPreloadPages(slot, sample)),
      0,
    );
    return bytes - copied * 4096;
  });
  return eachTrend(timesUs, beside, workers, of)?.shape === 'climbs';
}

function climbedUntilKill(
  { firstKill, samples }: FleetRun,
  { values }: Series,
  workers: readonly number[],
  of: OfRequests,
): number {
  if (!firstKill) return 0;
  const until = <T>(list: readonly T[]) => list.slice(0, firstKill.beforeSample);
  const timesUs = until(samples.map(({ atUs }) => atUs));
  const ofThem = { within: until(of.within), begun: of.begun && until(of.begun) };
  const each = eachTrend(timesUs, until(values), until(workers), ofThem);
  return each?.shape === 'climbs' ? each.perHourBytes : 0;
}

export const heapBytes = (h: Holdings): number =>
  h.mainHeapBytes + h.arenaBytes + h.zendBytes + h.mappedBytes + h.extentBytes + h.otherBytes;

const maximum = (values: Uint32Array) => values.reduce((most, value) => Math.max(most, value), 0);

/** Preloaded bytes that are a worker's own at the end, on average. */
function meanCopied({ pools, samples }: FleetRun, index: number): number {
  const pool = pools[index]!;
  const last = samples.length - 1;
  const own = pool.timelines.flatMap(({ layout }, slot) =>
    layout[last]! < 0 ? [] : [pool.ownPreloadPages(slot, last)],
  );
  return own.length === 0 ? 0 : (own.reduce((sum, pages) => sum + pages, 0) / own.length) * 4096;
}

function allocatorTimes(run: FleetRun, index: number): Pick<PoolFigures, 'allocatorUs' | 'requestUs'> {
  const { kinds, tasks, timelines } = run.pools[index]!;
  const sums = new Map<number, { us: number; count: number }>();
  tasks.forEach(({ request }, slot) => {
    request.forEach((number, i) => {
      const kind = kinds[number] ?? RECORDED;
      const own = sums.get(kind) ?? { us: 0, count: 0 };
      own.us += timelines[slot]!.allocatorUs[i]!;
      own.count++;
      sums.set(kind, own);
    });
  });
  return {
    allocatorUs: Object.fromEntries(
      [...sums].map(([kind, { us, count }]) => [run.scenario.requests[kind]?.name ?? 'recorded', us / count]),
    ),
    requestUs: [...sums.values()].reduce((total, { us }) => total + us, 0),
  };
}
