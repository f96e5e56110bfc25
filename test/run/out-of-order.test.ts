import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { summaryText } from '../../bench/report/text/summary.ts';
import { outOfOrderSentences } from '../../bench/run/out-of-order.ts';
import type { RunResult } from '../../bench/run/result.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

const ROUNDS = 400;

/** One thread makes a block every so often, the other frees it before the next one comes. */
function handedOver(everyNs: number): string {
  const rounds = Array.from({ length: ROUNDS }, (_, i) => `+ ${everyNs}\nm 1 ${i} 300000\n+ 1000\nf 2 ${i}\n`);
  return `%htrace 1\n%touch full\ntb 1\ntb 2\n${rounds.join('')}`;
}

async function resultOf(text: string, mode: 'virtual' | 'lockstep'): Promise<RunResult> {
  const parser = createTraceParser({ source: 'handed-over' });
  parser.push(new TextEncoder().encode(text));
  const events = parser.finish();
  return runInMode({ events, workload: 'w', spec: parseAllocator('glibc', 2), cpus: 2, mode, pace: 'recorded' });
}

test('threads that come out of the order of the trace are told of, where more is held at once for it', async () => {
  // A tenth of what the page faults of a block take.
  const late = await resultOf(handedOver(5000), 'virtual');
  expect(late.outOfOrder).toEqual({ requestedPeakBytes: 300000 });
  expect(late.summary.requestedPeakBytes).toBeGreaterThan(1.2 * 300000);
  const [sentence] = outOfOrderSentences([late]);
  expect(sentence).toMatch(
    /^The program holds more at once than it ever did: .* requested instead of 293\.0 KiB in the order of the trace\./,
  );
  expect(summaryText(late, undefined, 1e4)).toContain(sentence);
  expect(outOfOrderSentences([late, await resultOf(handedOver(5000), 'lockstep')])[0]).toMatch(
    /^In 1 of 2 runs the program/,
  );
});

test('a program that has its time is not', async () => {
  const inTime = await resultOf(handedOver(1_000_000), 'virtual');
  expect(inTime.outOfOrder).toBeUndefined();
  expect(inTime.summary.requestedPeakBytes).toBe(300000);
  expect(outOfOrderSentences([inTime])).toEqual([]);
});
