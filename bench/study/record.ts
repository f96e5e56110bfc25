import { Interrupted } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { breathing } from '../../workloads/breathing.ts';
import { createHeatMapRecorder } from '../report/heat-map.ts';
import { createMomentRecorder } from '../report/moments/recorder.ts';
import type { ReportRun } from '../report/report-run.ts';
import { requestedPeakRows } from '../report/requested-peaks.ts';
import { ownLine, shortFrame } from '../report/sites/frames.ts';
import type { StackBytes } from '../report/sites/stacks.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { RunOptions } from '../run/run-options.ts';
import { bySiteSteps, hasCallSites, stackOfRow } from './explain/by-site.ts';
import { momentSteps } from './explain/moment-in-run.ts';

/** Samples that a recorded run takes by itself, if nobody says how often. */
const SAMPLES = 320;

/** Runs to the end, and keeps what a report draws beyond the result: the address space at every sample, and at two by pages. */
export async function recordRun(options: RunOptions): Promise<ReportRun> {
  const heat = createHeatMapRecorder();
  const mode = options.mode ?? 'lockstep';
  const moments = createMomentRecorder(options.events, mode, siteNames(options.events));
  const result = await runInMode({
    ...options,
    ...(mode === 'lockstep' && !options.sampleEvery && { sampleBefore: requestedPeakRows(options.events) }),
    sampleEvery: options.sampleEvery || Math.max(1, Math.ceil(options.events.length / SAMPLES)),
    onSample(sample, assembled) {
      options.onSample?.(sample, assembled);
      heat.capture(sample.event, assembled, sample.virtualNs);
      moments.capture(sample, assembled);
    },
  });
  const { placements, syscalls, timeTrace, onSample, onProgress, check, sampleEvery, tlb, ...machine } = options;
  const drawn = { heat: heat.finish(), moments: moments.finish() };
  if (result.partial) return { result, ...drawn };
  try {
    const sites = await bySiteOf(machine);
    return { result, ...drawn, ...(sites && { sites }) };
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return { result: { ...result, partial: true }, ...drawn };
  }
}

async function bySiteOf(options: RunOptions): Promise<StackBytes[] | undefined> {
  if (!hasCallSites(options.events)) return undefined;
  const { end } = await breathing(momentSteps(options, undefined), options.signal);
  return breathing(bySiteSteps(options, end), options.signal);
}

/** The line of code of an allocating row; undefined for a trace without call sites. */
function siteNames(events: EventBuffer): ((row: number) => string) | undefined {
  if (!hasCallSites(events)) return undefined;
  const names = new Map<number, string>();
  return (row) => {
    const site = events.sites[row]!;
    const known = names.get(site) ?? shortFrame(ownLine(stackOfRow(events, row)));
    names.set(site, known);
    return known;
  };
}
