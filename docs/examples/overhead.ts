import type { Metric } from '../../bench/metrics/metric.ts';

/** What a live block costs beyond what was asked for, on average. */
export const overheadPerBlock: Metric = {
  name: 'overheadPerBlock',
  unit: 'bytes',
  better: 'lower',
  about: 'resident bytes beyond the requested ones, for each live block at the end',
  deterministic: true,
  of: ({ summary }) =>
    summary.liveBlocks === 0 ? null : (summary.rssBytes - summary.requestedBytes) / summary.liveBlocks,
};
