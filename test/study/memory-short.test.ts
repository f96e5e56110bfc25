import { expect, test } from 'vitest';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import type { RunResult } from '../../bench/run/result.ts';
import { runAll } from '../../bench/study/parallel/run-all.ts';
import type { RunTask } from '../../bench/study/parallel/run-task.ts';
import { endLatest } from '../../workloads/files/memory-gate.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { requireThat } from '../helpers/require.ts';

const taskOf = (allocator: string): RunTask => ({
  events: benchTrace('mixed', 40_000, false),
  workload: 'mixed',
  parameters: {},
  allocator,
  cpus: 2,
  mode: 'lockstep',
  pace: 'asap',
  seed: 0,
});

const figures = ({ engine: _, ...rest }: RunResult) => rest;

test('runs that are ended for want of memory are made again, with the same results', {
  timeout: 60_000,
}, async (context) => {
  requireThat(context, CLI_BUILT, 'needs the built commands: npm run build');
  const tasks = ['glibc', 'jemalloc', 'glibc:arena_max=1', 'jemalloc:narenas=1'].map(taskOf);
  const expected = await runAll(tasks, { workers: 1 });
  const notes: string[] = [];
  const batch = runAll(tasks, { workers: 3, onNote: (line) => notes.push(line) });
  let ended = 0;
  const timer = setInterval(() => {
    if (ended < 2 && endLatest()) ended++;
  }, 1);
  const runs = await batch.finally(() => clearInterval(timer));
  expect(ended).toBe(2);
  expect(notes).toEqual([2, 1].map((n) => `memory runs short: from now on ${n} run${n > 1 ? 's' : ''} at a time`));
  expect(runs.map(({ result }) => figures(result))).toEqual(expected.map(({ result }) => figures(result)));
});
