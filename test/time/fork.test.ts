import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { runThreads } from '../../bench/run/modes/threads.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import type { RunResult } from '../../bench/run/result.ts';
import { readProgramOrder } from '../../sim/replay/program-order-reader.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { requireThat } from '../helpers/require.ts';

const WORKER = fileURLToPath(new URL('../../dist/bench/run/modes/thread-worker.js', import.meta.url));
const TIMEOUT_MS = 120_000;

/** Each block is a mapping of its own. */
const MAPPED = 200_000;

/** Three threads, the third of which has much to do until thread 1 forks; then 1 goes on, and numbers 0, 2 and 3 occur again. */
const BEFORE = ['m 0 1', 'm 1 2', ...Array.from({ length: 200 }, (_, i) => `m 2 ${10 + i}`), 'f 0 2'];
const AFTER = ['f 2 1', 'm 1 3', 'm 0 4', 'm 3 5', 'te 3', 'm 2 6', 'f 1 10'];
const line = (text: string) => (text.startsWith('m ') ? `${text} ${MAPPED}` : text);
const TRACE = [...BEFORE, 'fork 1', ...AFTER].map(line);
const FORK = BEFORE.length;

const threadsOf = (run: RunResult) => run.concurrency!.threads.map(({ thread, events }) => [thread, events] as const);
const EXPECTED = [
  [0, 2],
  [1, 4],
  [2, 200],
  [2, 2],
  [0, 1],
  [3, 2],
] as const;

test('a fork waits for the end of every thread that it takes; the numbers of those are new threads', () => {
  const { order, ...program } = readProgramOrder(eventsOf(TRACE));
  program.readAll();
  expect([...order.ids]).toEqual([0, 1, 2, 2, 0, 3]);
  expect([...order.takenBy]).toEqual([1, 0, 1, 0, 0, 0]);
  expect([...order.bornAfter]).toEqual([0, 0, 0, 1, 1, 1]);
  expect([...order.taken]).toEqual([0, 2]);
});

test('what a fork took before, and what has exited, is not taken again; the thread that forks may come with it', () => {
  const { order } = readProgramOrder(eventsOf(['tb 1', 'te 1', 'fork 5', 'tb 1', 'fork 1', 'tb 5', 'tb 1', 'fork 1']));
  expect([...order.ids]).toEqual([0, 1, 5, 1, 5]);
  expect([...order.takenBy]).toEqual([1, 1, 2, 0, 3]);
  expect([...order.bornAfter]).toEqual([0, 0, 0, 1, 2]);
  expect([...order.taken]).toEqual([0, 2, 1, 1]);
});

test('one thread waits for nobody', () => {
  const { order } = readProgramOrder(eventsOf(['m 0 1 8', 'fork 0', 'f 0 1']));
  expect([...order.taken]).toEqual([0]);
});

for (const start of ['barrier', 'serial'] as const) {
  for (const pace of ['asap', 'recorded', 'replay'] as const) {
    for (const cpus of [1, 2, 8]) {
      test(`in virtual time nothing comes after a fork that stands before it, or before: ${start}, ${pace}, ${cpus} processors`, async () => {
        const rows: number[] = [];
        const run = await runVirtual({
          events: eventsOf(TRACE),
          workload: 'fork',
          spec: parseAllocator('glibc:mmap_threshold=4096', cpus),
          cpus,
          start,
          pace,
          check: 'events',
          syscalls: {
            write: (text) => void rows.push(Number(text.split(' ')[0])),
            close: () => {},
            discard: () => {},
          },
        });
        expect(run.partial).toBe(false);
        expect(threadsOf(run)).toEqual(EXPECTED);
        const firstAfter = rows.findIndex((row) => row > FORK);
        expect(firstAfter).toBeGreaterThan(200);
        expect(rows.slice(firstAfter).filter((row) => row < FORK)).toEqual([]);
      });
    }
  }
}

/** Blocks of many arenas: as long as the fork comes in its place, threads that come after it find the arenas of those that it took. */
const ARENAS = [
  ...Array.from({ length: 400 }, (_, i) => `m ${i % 4} ${i} 100`),
  'fork 0',
  ...Array.from({ length: 40 }, (_, i) => `m ${1 + (i % 3)} ${1000 + i} 100`),
];

for (const allocator of ['glibc', 'jemalloc', 'zendmm:all=true']) {
  test(
    `all modes map the same for threads that come after a fork: ${allocator}`,
    async (context) => {
      requireThat(context, existsSync(WORKER), 'needs the built files (npm run build)');
      const options = { events: eventsOf(ARENAS), workload: 'fork', spec: parseAllocator(allocator, 8), cpus: 8 };
      const lockstep = await runLockstep(options);
      const virtual = await runVirtual(options);
      const threads = [await runThreads(options), await runThreads({ ...options, perturbSeed: 1 })];
      for (const run of [virtual, ...threads]) {
        expect(run.partial).toBe(false);
        expect(run.summary.liveBlocks).toBe(440);
        expect(run.summary.vszBytes).toBe(lockstep.summary.vszBytes);
        expect(threadsOf(run).map(([thread]) => thread)).toEqual([0, 1, 2, 3, 1, 2, 3]);
      }
    },
    TIMEOUT_MS,
  );
}

test(
  'blocks of a request whose thread a fork took stay, and the next request of its number ends without them',
  async (context) => {
    requireThat(context, existsSync(WORKER), 'needs the built files (npm run build)');
    const lines = ['eb 1', 'em 1 1 5000', 'em 1 2 5000', 'm 0 3 8', 'fork 0', 'eb 1', 'em 1 4 100', 'ee 1'];
    const options = { events: eventsOf(lines), workload: 'fork', spec: parseAllocator('zendmm', 2), cpus: 2 };
    for (const run of [await runLockstep(options), await runVirtual(options), await runThreads(options)]) {
      expect(run.abort).toBe(null);
      expect(run.summary.requestedBytes).toBe(10008);
    }
  },
  TIMEOUT_MS,
);
