import { csvText } from '../../sim/contract/escape.ts';
import type { RunResult } from '../run/result.ts';

const CLASSES = ['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable'] as const;

/** One line a sample. */
export function samplesCsv({ samples }: RunResult): string {
  const head = ['label', 'event', 'virtualNs', 'rssBytes', 'vszBytes', 'requestedBytes', 'usableBytes', 'liveBlocks'];
  return csvText(
    [...head, ...CLASSES, 'withinSlabsBytes', 'faults', 'hugeFaults'],
    samples.map((s) => [
      s.label,
      s.event,
      s.virtualNs,
      s.rssBytes,
      s.vszBytes,
      s.requestedBytes,
      s.usableBytes,
      s.liveBlocks,
      ...CLASSES.map((name) => s.breakdown[name]),
      s.withinSlabsBytes,
      s.faults,
      s.hugeFaults,
    ]),
  );
}
