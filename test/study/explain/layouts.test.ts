import { expect, test } from 'vitest';
import { createLayouts, inLayout } from '../../../bench/study/explain/settings/layouts.ts';
import { withClock } from '../../../bench/study/explain/settings/other-clock.ts';
import { type RunTask, runTask } from '../../../bench/study/parallel/run-task.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const MIB = 2 ** 20;
const BLOCKS = 4000;
const WITH_THREAD = 'jemalloc:background_thread=true,dirty_decay_ms=1000,muzzy_decay_ms=0';

/** A burst of which a hundredth stays, a pause, and one more call. */
const burst = (pauseMs: number): EventBuffer => {
  const blocks = Array.from({ length: BLOCKS }, (_, i) => i);
  return eventsOf([
    ...blocks.flatMap((i) => ['+ 15000', `m 0 ${i} ${2000 + ((i * 7919) % 30000)}`]),
    ...blocks.filter((i) => i % 100).flatMap((i) => ['+ 1500', `f 0 ${i}`]),
    `+ ${pauseMs * 1e6}`,
    'm 0 9999 64',
  ]);
};

const taskOf = (events: EventBuffer, allocator: string): RunTask => ({
  events,
  workload: 'test',
  parameters: {},
  allocator,
  cpus: 2,
  mode: 'lockstep',
  pace: 'asap',
  seed: 0,
  lastSampleOnly: true,
});

async function residentIn(tasks: readonly RunTask[]): Promise<number[]> {
  const ends: number[] = [];
  for (const task of tasks) ends.push((await runTask(task)).result.samples.at(-1)!.rssBytes);
  return ends;
}

const othersOf = (events: EventBuffer, allocator: string) => createLayouts(events).others(taskOf(events, allocator), 0);

test('how much a background thread has returned at a moment is chance, until two decay times have passed', async () => {
  const early = await residentIn(othersOf(burst(1300), WITH_THREAD));
  expect(Math.min(...early)).toBeLessThan(10 * MIB);
  expect(Math.max(...early)).toBeGreaterThan(30 * MIB);
  expect(Math.max(...(await residentIn(othersOf(burst(2500), WITH_THREAD))))).toBeLessThan(10 * MIB);
});

test('the layouts are the same in every explanation, and others in the next round', async () => {
  const events = burst(1300);
  const allocators = (round: number) =>
    createLayouts(events)
      .others(taskOf(events, WITH_THREAD), round)
      .map(({ allocator }) => allocator);
  expect(allocators(0)).toEqual(allocators(0));
  expect(new Set([...allocators(0), ...allocators(1)]).size).toBe(2 * allocators(0).length);
});

test('what does not decay, and what has no clock, is run once', () => {
  const events = burst(1300);
  expect(othersOf(events, 'jemalloc:dirty_decay_ms=0')).toEqual([]);
  expect(othersOf(events, 'glibc')).toEqual([]);
  expect(othersOf(eventsOf(['m 0 1 64', 'f 0 1']), 'jemalloc')).toEqual([]);
  const task = taskOf(events, 'glibc');
  expect(inLayout(task, 1)).toBe(task);
  expect(inLayout(taskOf(events, 'zendmm+jemalloc'), 1).allocator).toMatch(/^zendmm@[\d.]+\+jemalloc.*mmap_shift=\d+/);
});

test('a recording is run in twice its time, a half and a quarter of it too, pauses as they were', () => {
  const events = { ...burst(1300), source: 'recorded with LD_PRELOAD, linux x64' };
  const steps = (of: EventBuffer) => Array.from(of.a).filter((ns, row) => ns > 0 && of.head[row] !== of.head[1]);
  const paces = new Set(
    createLayouts(events)
      .others(taskOf(events, WITH_THREAD), 0)
      .map((task) => `${steps(task.events!)[0]}, ${steps(task.events!).at(-1)}`),
  );
  const pause = steps(events).at(-1);
  expect([...paces]).toEqual([`15000, ${pause}`, `30000, ${pause}`, `7500, ${pause}`, `3750, ${pause}`]);
  const half = withClock(events, 1 / 2);
  expect(half.length).toBe(events.length);
  expect(steps(half).at(-1)).toBe(650 * 1e6);
});
