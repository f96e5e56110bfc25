import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runThreads } from '../../bench/run/modes/threads.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { readProgramOrder } from '../../sim/replay/program-order-reader.ts';
import { threadsOf } from '../../sim/replay/thread-rows.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { requireThat } from '../helpers/require.ts';

const WORKER = fileURLToPath(new URL('../../dist/bench/run/modes/thread-worker.js', import.meta.url));
const ROUNDS = 6;
const BLOCKS = 100;

/** Rounds of two threads that fill blocks, which main() frees when it has waited for them; what says so, or nothing. */
function rounds(says: boolean): string[] {
  const lines = ['m 0 1 100'];
  for (let round = 0; round < ROUNDS; round++) {
    const two = [2 * round + 1, 2 * round + 2];
    const blocks = two.map((t) => Array.from({ length: BLOCKS }, (_, i) => t * 1000 + i));
    if (says) lines.push(...two.map((t) => `tc 0 ${t}`), ...two.map((t) => `tb ${t}`));
    two.forEach((t, k) => {
      lines.push(...blocks[k]!.map((id) => `m ${t} ${id} 2000`), `te ${t}`);
    });
    if (says) lines.push(...two.map((t) => `tj 0 ${t} 5000`));
    for (const list of blocks) lines.push(...list.map((id) => `f 0 ${id}`));
  }
  return lines;
}

const IN_ORDER = 100 + 2 * BLOCKS * 2000;

for (const cpus of [1, 2, 8]) {
  for (const start of ['barrier', 'serial'] as const) {
    test(`rounds of threads do not overlap: ${cpus} processors, ${start}`, async () => {
      const run = (says: boolean) => {
        const events = eventsOf(rounds(says));
        expect(events.requestedPeakBytes).toBe(IN_ORDER);
        return runVirtual({
          events,
          workload: 'rounds',
          spec: parseAllocator('glibc', cpus),
          cpus,
          start,
          pace: 'asap',
        });
      };
      expect((await run(true)).summary.requestedPeakBytes).toBe(IN_ORDER);
      if (cpus > 2) expect((await run(false)).summary.requestedPeakBytes).toBeGreaterThan(IN_ORDER);
    });
  }
}

test('nor with real threads', { timeout: 120_000 }, async (context) => {
  requireThat(context, existsSync(WORKER), 'run npm run build first');
  const events = eventsOf(rounds(true));
  const result = await runThreads({ events, workload: 'rounds', spec: parseAllocator('glibc', 2), cpus: 2 });
  expect(result.concurrency!.threads.reduce((sum, thread) => sum + thread.events, 0)).toBe(events.length);
});

test('a name is that of the thread that has it there: before the fork, or that begins next', () => {
  const named = (lines: readonly string[]) => [...threadsOf(eventsOf(lines)).named];
  expect(named(['tc 0 1', 'tb 1', 'te 1', 'tj 0 1 5', 'tj 0 7 5'])).toEqual([1, 1, -1]);
  expect(named(['tb 1', 'fork 0', 'tj 0 1 5', 'tc 0 1', 'tb 1'])).toEqual([-1, 2]);
  expect(named(['tb 1', 'te 1', 'tc 0 1', 'm 1 5 9', 'te 1', 'tj 0 1 9'])).toEqual([1, 1]);
});

test('without such events no thread has a slot of its own', () => {
  const slots = (lines: readonly string[]) => {
    const program = readProgramOrder(eventsOf(lines));
    program.readAll();
    return program.order.slotLimit;
  };
  const lines = ['m 1 1 8', 'te 1', 'm 0 2 8'];
  expect(slots([...lines, 'tj 0 1 5'])).toBe(slots([...lines, 'tb 0']) + 2);
});
