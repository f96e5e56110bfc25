import { expect, test } from 'vitest';
import type { ReportRun } from '../../../bench/report/report-run.ts';
import { createRunner } from '../../../bench/study/parallel/run-all.ts';
import { type RunTask, runTask } from '../../../bench/study/parallel/run-task.ts';
import { resolveWorkload } from '../../../workloads/index.ts';

async function tasksOf(workload: string): Promise<RunTask[]> {
  const { name, events, parameters } = await resolveWorkload(workload);
  const task = { events, workload: name, parameters, cpus: 4, mode: 'lockstep', pace: 'asap', seed: 0 } as const;
  return ['glibc', 'jemalloc', 'glibc:arena_max=1', 'glibc@2.31', 'jemalloc:narenas=1'].map((allocator) => ({
    ...task,
    allocator,
  }));
}

const withoutEngine = ({ result }: ReportRun) => {
  const { engine: _, ...rest } = JSON.parse(JSON.stringify(result));
  return rest;
};

test('long tasks, each of which wears its worker out, give what they give alone', async () => {
  const tasks = await tasksOf('rows:threads=4,rounds=35000');
  expect(2 * tasks[0]!.events!.length).toBeGreaterThan(1e6);
  const counts: number[] = [];
  const runner = createRunner({ workers: 2, onDone: (done) => counts.push(done) });
  try {
    const runs = await runner.run(tasks);
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    for (const [i, run] of runs.entries()) expect(withoutEngine(run)).toEqual(withoutEngine(await runTask(tasks[i]!)));
    const [again] = await runner.run(tasks.slice(0, 1));
    expect(withoutEngine(again!)).toEqual(withoutEngine(runs[0]!));
  } finally {
    await runner.close();
  }
});

test("a mistake in one task is the batch's error", async () => {
  const tasks = await tasksOf('rows:threads=2,rounds=10');
  const runner = createRunner({ workers: 2 });
  try {
    await expect(runner.run([...tasks, { ...tasks[0]!, allocator: 'glibc:nonsense=1' }])).rejects.toThrow('nonsense');
  } finally {
    await runner.close();
  }
});

test('once it is closed, what still waits is not begun', async () => {
  const tasks = await tasksOf('rows:threads=4,rounds=5000');
  let done = 0;
  const runner = createRunner({ workers: 1, onDone: () => done++ });
  const [first, ...others] = tasks.map((task) => runner.run([task]));
  const ends = Promise.allSettled(others);
  await first;
  await runner.close();
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
  expect(done).toBe(1);
});
