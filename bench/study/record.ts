import { loadModel } from '../../allocators/load.ts';
import { Interrupted } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { Ns } from '../../sim/contract/units.ts';
import { breathing } from '../../workloads/breathing.ts';
import { createHeatMapRecorder } from '../report/heat-map.ts';
import { BIRTHS_UNKNOWN, type Births, birthsAsTheyHappen, birthsInFileOrder } from '../report/moments/births.ts';
import { freedColumns } from '../report/moments/freed-columns.ts';
import type { Holders } from '../report/moments/holders.ts';
import { createMomentRecorder } from '../report/moments/recorder.ts';
import { readResidentPages } from '../report/moments/resident-pages.ts';
import type { FreedColumns, MomentData } from '../report/page-data.ts';
import type { Judged, Recorded, ReportRun } from '../report/report-run.ts';
import { requestedPeakRows } from '../report/requested-peaks.ts';
import { ownLine, shortFrame } from '../report/sites/frames.ts';
import type { Mode } from '../run/result.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { RunOptions } from '../run/run-options.ts';
import { bySiteSteps, hasCallSites, stackOfRow } from './explain/by-site.ts';
import { lastFreedBefore } from './explain/last-freed.ts';
import { momentSteps } from './explain/moment-in-run.ts';
import { clockOf } from './plan/sample-points.ts';

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
  return {
    ...(mode === 'lockstep' && !sampleEvery && { sampleBefore: ascending([...requestedPeakRows(events), ...wanted]) }),
    ...(pace === 'recorded' && { sampleIdleNs: idleNs(events) }),
    sampleEvery: sampleEvery || Math.max(1, Math.ceil(events.length / SAMPLES)),
  };
}

const ascending = (rows: readonly number[]): number[] => [...new Set(rows)].sort((x, y) => x - y);

/** Where in file order the most is resident; in virtual time that is another place in each run. */
async function peakRow(options: RunOptions): Promise<number | undefined> {
  const { mode = 'lockstep', sampleEvery } = options;
  if (mode !== 'lockstep' || sampleEvery) return undefined;
  await loadModel(options.spec);
  return (await breathing(momentSteps(plain(options), 'peak'), options.signal)).end;
}

/** A run of the same for something else. */
function plain(options: RunOptions): RunOptions {
  const { placements, syscalls, timeTrace, onSample, onProgress, check, sampleEvery, tlb, ...machine } = options;
  return machine;
}

async function recordPages(options: RunOptions, judged?: Judged): Promise<ReportRun> {
  const row = judged && judged.event < options.events.length ? judged.event : undefined;
  const peak = await peakRow(options);
  const births = birthsIn(options.mode ?? 'lockstep', options.events);
  const who = { births, siteOf: siteNames(options.events) };
  const heat = createHeatMapRecorder(who);
  const moments = createMomentRecorder(options.events, who, { judged: row, peak });
  const result = await runInMode({
    ...options,
    onAllocation: births.note,
    ...closeSamples(
      options,
      [row, peak].filter((one) => one !== undefined),
    ),
    onSample(sample, assembled) {
      options.onSample?.(sample, assembled);
      heat.capture(sample.event, assembled, sample.virtualNs);
      moments.capture(sample, assembled);
    },
  });
  const machine = plain(options);
  const drawn = { heat: heat.finish(), moments: moments.finish() };
  if (result.partial) return { result, ...drawn };
  try {
    const told =
      (options.mode ?? 'lockstep') === 'lockstep' ? await withFreed(machine, drawn.moments, who) : drawn.moments;
    const sites = hasCallSites(options.events) ? await bySiteOf(machine, judged) : {};
    return { result, ...drawn, moments: told, ...sites };
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return { result: { ...result, partial: true }, ...drawn };
  }
}

/** In file order a second run tells whose blocks lay last where memory is free at each moment. */
async function withFreed(options: RunOptions, moments: readonly MomentData[], who: Holders): Promise<MomentData[]> {
  const told = new Map<number, FreedColumns | null>();
  const ends = [...new Set(moments.map(({ event }) => event))].sort((x, y) => x - y);
  const steps = lastFreedBefore(options, ends, (end, last) => {
    told.set(end, freedColumns(readResidentPages(last.assembled), last, who));
  });
  await breathing(steps, options.signal);
  return moments.map((moment) => ({ ...moment, freed: told.get(moment.event) ?? null }));
}

async function bySiteOf(
  options: RunOptions,
  judged: Judged | undefined,
): Promise<Pick<ReportRun, 'sites' | 'sitesAbout'>> {
  const { end, about } = judged
    ? { end: judged.event, about: judged.about }
    : await breathing(momentSteps(options, undefined), options.signal);
  const sites = await breathing(bySiteSteps(options, end), options.signal);
  return sites ? { sites, sitesAbout: about } : {};
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
