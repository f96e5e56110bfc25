import { jsonText } from '../../sim/contract/escape.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import type { RunResult } from '../run/result.ts';
import { classBytes } from './names.ts';

const MEMORY = 1;

/**
 * The samples of a run as counters for Perfetto (https://ui.perfetto.dev) and chrome://tracing: the JSON of Chrome's trace events,
 * `C` events over microseconds. A run without time has one event a microsecond.
 */
export function perfettoCounters({ run, samples }: RunResult): string {
  const hasTime = samples.some(({ virtualNs }) => virtualNs > 0);
  const at = (sample: Sample): number => (hasTime ? sample.virtualNs / 1000 : sample.event);
  const events: object[] = [
    {
      ph: 'M',
      name: 'process_name',
      pid: MEMORY,
      args: { name: `${run.workload}, ${run.allocator}${hasTime ? '' : ' (an event a microsecond)'}` },
    },
  ];
  for (const sample of samples) {
    const counter = (name: string, args: Readonly<Record<string, number>>) =>
      void events.push({ ph: 'C', name, pid: MEMORY, ts: at(sample), args });
    const { requested, slack, metadata, cached, pinned } = sample.breakdown;
    const [withinSlabs, returnable] = [classBytes(sample, 'withinSlabs'), classBytes(sample, 'returnable')];
    counter('resident bytes', { requested, slack, metadata, cached, pinned, withinSlabs, returnable });
    counter('virtual bytes', { mapped: sample.vszBytes });
    counter('live blocks', { blocks: sample.liveBlocks });
    counter('page faults', { faults: sample.faults });
    if (!/^[#(]/.test(sample.label)) {
      events.push({ ph: 'i', name: sample.label, pid: MEMORY, tid: 0, ts: at(sample), s: 'p' });
    }
  }
  return `{"displayTimeUnit":"ns","traceEvents":[\n${events.map((event) => jsonText(event)).join(',\n')}\n]}`;
}
