import type { TraceSummary } from '../../sim/contract/event.ts';
import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { OutOfOrder, RunResult } from './result.ts';
import type { RunOptions } from './run-options.ts';

/** Threads that pass each other by a few calls make less of a difference. */
const MUCH_MORE = 1.2;

/**
 * Where times are recorded, events keep to them, but a thread that waits for a lock or the processor comes late, and no trace tells of those that the program
 * makes wait for it: a queue that is full, a condition. Undefined where that made no difference to what is held.
 */
export function outOfOrder(
  { events, pace }: RunOptions<TraceSummary>,
  requestedPeakBytes: Bytes,
): OutOfOrder | undefined {
  if (pace !== 'recorded' || requestedPeakBytes <= events.requestedPeakBytes * MUCH_MORE) return undefined;
  return { requestedPeakBytes: events.requestedPeakBytes };
}

/** Why what such runs say of memory is not what the program would need; [] where there is none among them. */
export function outOfOrderSentences(results: readonly RunResult[]): string[] {
  const found = results.filter((result) => result.outOfOrder);
  const [worst] = [...found].sort((x, y) => y.summary.requestedPeakBytes - x.summary.requestedPeakBytes);
  if (!worst) return [];
  const of = results.length > 1 ? `In ${found.length} of ${results.length} runs the` : 'The';
  const most = found.length > 1 ? ', in the worst of them,' : '';
  return [
    `${of} program holds more at once than it ever did: ${bytes(worst.summary.requestedPeakBytes)} requested${most} instead of ${bytes(worst.outOfOrder!.requestedPeakBytes)} in the order of the trace. A thread came late, and no trace tells that others would wait for it (a queue that is full). Take memory from --mode lockstep, which keeps the order; other seeds show how much is chance.`,
  ];
}
