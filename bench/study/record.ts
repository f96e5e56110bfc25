import { Interrupted } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { Ns } from '../../sim/contract/units.ts';
import { createHeatMapRecorder } from '../report/heat-map.ts';
import { BIRTHS_UNKNOWN, type Births, birthsAsTheyHappen, birthsInFileOrder } from '../report/moments/births.ts';
import { createMomentRecorder } from '../report/moments/recorder.ts';
import type { Judged, Recorded, ReportRun } from '../report/report-run.ts';
import { requestedPeakRows } from '../report/requested-peaks.ts';
import { ownLine, shortFrame } from '../report/sites/frames.ts';
import type { Mode } from '../run/result.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { Rise, RunOptions } from '../run/run-options.ts';
import { hasCallSites, stackOfRow } from './explain/heap/by-site.ts';
import { clockOf } from './plan/sample-points.ts';
import { sitesInOrder, watchInOrder } from './watch-in-order.ts';

/** Samples that a recorded run takes by itself, if nobody says how often. */
const SAMPLES = 320;

/**
 * Runs to the end, and keeps what pictures draw beyond the result: for curves samples that lie close enough, for a report the address space at
 * every sample too, and at some by pages: where it ends, peaks, and where it is judged.
 */
export const recordRun = (options: RunOptions, what: Recorded = 'pages', judged?: Judged): Promise<ReportRun> =>
  what === 'samples' ? recordSamples(options) : recordPages(options, judged);

const recordSamples = async (options: RunOptions): Promise<ReportRun> => ({
  result: await runInMode({ ...options, ...closeSamples(options) }),
});

function closeSamples(
  options: RunOptions,
  wanted: readonly number[] = [],
): Pick<RunOptions, 'sampleBefore' | 'sampleEvery' | 'sampleIdleNs'> {
  const { events, mode = 'lockstep', pace, sampleEvery } = options;
  const peaks = mode === 'lockstep' && !sampleEvery ? requestedPeakRows(events) : [];
  return {
    sampleBefore: ascending([...peaks, ...wanted]),
    ...(pace === 'recorded' && { sampleIdleNs: idleNs(events) }),
    sampleEvery: sampleEvery || Math.max(1, Math.ceil(events.length / SAMPLES)),
  };
}

const ascending = (rows: readonly number[]): number[] => [...new Set(rows)].sort((x, y) => x - y);

/** A run of the same for something else. */
function plain(options: RunOptions): RunOptions {
  const { placements, syscalls, timeTrace, onSample, onProgress, check, sampleEvery, tlb, ...machine } = options;
  return machine;
}

/** The step of the run in which the most becomes resident, from a run that keeps nothing else. Real threads are never the same twice. */
async function riseToPeak(options: RunOptions, samples: Partial<RunOptions>): Promise<Rise | undefined> {
  if (options.mode === 'threads') return undefined;
  let rise: Rise | undefined;
  await runInMode({ ...plain(options), ...samples, lastSampleOnly: true, onRise: (found) => void (rise = found) });
  return rise;
}

async function recordPages(options: RunOptions, judged?: Judged): Promise<ReportRun> {
  const { events, mode = 'lockstep' } = options;
  const row = judged && judged.event < events.length ? judged.event : undefined;
  const samples = closeSamples(options, row === undefined ? [] : [row]);
  const samplePeak = await riseToPeak(options, samples);
  const births = birthsIn(mode, events);
  const who = { births, siteOf: siteNames(events) };
  const heat = createHeatMapRecorder(who);
  const inOrder = mode === 'lockstep' ? await watchInOrder(plain(options), judged) : undefined;
  const { lastFreed, watch } = inOrder ?? {};
  const moments = createMomentRecorder(who, { judged: row, peakPages: samplePeak?.peakPages, lastFreed });
  const result = await runInMode({
    ...options,
    ...samples,
    samplePeak,
    watch,
    onAllocation: births.note,
    onSample(sample, assembled) {
      options.onSample?.(sample, assembled);
      heat.capture(sample.event, assembled, sample.virtualNs);
      moments.capture(sample, assembled);
    },
  });
  const drawn = { result, heat: heat.finish(), moments: moments.finish(), ...(judged && { judged }) };
  if (result.partial || !hasCallSites(events)) return drawn;
  try {
    const sites = inOrder ? inOrder.sites(result) : await sitesInOrder(plain(options), judged);
    return { ...drawn, ...sites };
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return { ...drawn, result: { ...result, partial: true } };
  }
}

/**
 * Without samples where a long idle time begins and ends, its curves would climb or fall through all of it. So long that there
 * are at most twice as many samples as otherwise, whatever number of threads is idle.
 */
function idleNs(events: EventBuffer): Ns {
  return Math.max(1, (clockOf(events) * events.threadSlots) / SAMPLES);
}

function birthsIn(mode: Mode, events: EventBuffer): Births {
  if (mode === 'threads') return BIRTHS_UNKNOWN;
  return mode === 'virtual' ? birthsAsTheyHappen(events) : birthsInFileOrder(events);
}

/** The line of code of an allocating row; '' for a trace without call sites. */
function siteNames(events: EventBuffer): (row: number) => string {
  if (!hasCallSites(events)) return () => '';
  const names = new Map<number, string>();
  return (row) => {
    const site = events.sites[row]!;
    const known = names.get(site) ?? shortFrame(ownLine(stackOfRow(events, row)));
    names.set(site, known);
    return known;
  };
}
