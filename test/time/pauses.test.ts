import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const MS = 1e6;

/** Two threads at once, each with a nap in the middle, and half a millisecond from call to call as a slow recorder takes it. */
const LINES = [0, 1].flatMap((t) => [`m ${t} ${t} 100`, '+ 500000']);
const NAPPING = [
  ...LINES,
  '+ 60000000',
  ...[0, 1].flatMap((t) => [`f ${t} ${t}`, '+ 500000']),
  'm 0 5 100',
  '+ 500000',
  'f 0 5',
];

async function timeOf(more: Partial<RunOptions>): Promise<number> {
  const events = eventsOf(NAPPING);
  const options = { events, workload: 'test', spec: parseAllocator('glibc', 2), cpus: 2, pace: 'recorded' as const };
  return (await runVirtual({ ...options, ...more })).summary.virtualNs!;
}

test('a thread that paused for long pauses as long, whatever is slow between its calls', async () => {
  const recorded = await timeOf({});
  expect(recorded).toBeGreaterThan(62 * MS);
  const fast = await timeOf({ pausesFromNs: MS });
  expect(fast).toBeGreaterThan(60 * MS);
  expect(fast).toBeLessThan(61.2 * MS);
  expect(await timeOf({ pace: 'asap' })).toBeLessThan(MS);
});

test('a join ends with the thread that is joined, however long it took', async () => {
  const lines = [
    'm 0 0 100',
    '+ 1000',
    'tc 0 1',
    '+ 1000',
    'm 1 1 100',
    '+ 40000000',
    'f 1 1',
    'te 1',
    'tj 0 1 40000000',
    'f 0 0',
  ];
  const events = eventsOf(lines);
  const options = { events, workload: 'test', spec: parseAllocator('glibc', 2), cpus: 2, pace: 'recorded' as const };
  const { summary } = await runVirtual({ ...options, pausesFromNs: MS });
  expect(summary.virtualNs).toBeGreaterThan(40 * MS);
  expect(summary.virtualNs).toBeLessThan(41 * MS);
});

test('where all count it is the recorded pace, but for what others have held up', async () => {
  expect(await timeOf({ pausesFromNs: 1 })).toBeLessThanOrEqual((await timeOf({})) + MS);
});
