import type { RunResult } from '../run/result.ts';
import type { Metric } from './metric.ts';

const bytes = (name: string, about: string, of: Metric['of']): Metric => ({
  name,
  unit: 'bytes',
  better: 'lower',
  about,
  deterministic: true,
  of,
});

/** The sample point that a trace names when its program has come to rest. */
const IDLE_LABEL = 'idle';

function retained({ samples, summary }: RunResult): number {
  const at = samples.findLast((s) => s.label === IDLE_LABEL) ?? summary;
  return at.rssBytes - at.requestedBytes;
}

export const MEMORY_METRICS: readonly Metric[] = [
  bytes('rssPeakBytes', 'most that was ever resident', (r) => r.summary.rssPeakBytes),
  bytes('rssBytes', 'resident at the end', (r) => r.summary.rssBytes),
  bytes('retainedBytes', `resident and not asked for: at the last sample '${IDLE_LABEL}', else at the end`, retained),
  bytes('vszPeakBytes', 'most that was ever mapped', (r) => r.summary.vszPeakBytes),
  bytes('pinnedBytes', 'free at the end, on pages that something keeps', (r) => r.summary.breakdown.pinned),
  bytes('returnableBytes', 'free at the end, on pages of their own', (r) => r.summary.breakdown.returnable),
  bytes(
    'withinSlabsBytes',
    'of these, in slabs and chunks that hold something else: nothing gives them back before',
    (r) => r.summary.withinSlabsBytes,
  ),
  bytes('metadataBytes', 'headers and structures at the end', (r) => r.summary.breakdown.metadata),
  {
    name: 'blowup',
    unit: 'ratio',
    better: 'lower',
    about: 'peak resident / peak requested',
    deterministic: true,
    of: (r) => r.summary.blowup,
  },
];
