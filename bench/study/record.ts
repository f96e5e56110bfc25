import { createHeatMapRecorder } from '../report/heat-map.ts';
import { createMomentRecorder } from '../report/moments/recorder.ts';
import type { ReportRun } from '../report/report-run.ts';
import { requestedPeakRows } from '../report/requested-peaks.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { RunOptions } from '../run/run-options.ts';
import { bytesBySite } from './explain/by-site.ts';
import { momentOf } from './explain/moment-in-run.ts';

/** Samples that a recorded run takes by itself, if nobody says how often. */
const SAMPLES = 320;

/** Runs to the end, and keeps what a report draws beyond the result: the address space at every sample, and at two by pages. */
export async function recordRun(options: RunOptions): Promise<ReportRun> {
  const heat = createHeatMapRecorder();
  const mode = options.mode ?? 'lockstep';
  const moments = createMomentRecorder(options.events, mode);
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
  const sites = result.partial ? undefined : bytesBySite(machine, momentOf(machine, undefined).end);
  return { result, heat: heat.finish(), moments: moments.finish(), ...(sites && { sites }) };
}
