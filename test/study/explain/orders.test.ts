import { expect, test } from 'vitest';
import { keepingArenas } from '../../../bench/study/explain/settings/kept-arenas.ts';
import { fullSpeedSeeds, otherOrders, savedBytes } from '../../../bench/study/explain/settings/orders.ts';
import type { OrderRange, WhatIf } from '../../../bench/study/explain/settings/what-if.ts';
import { type RunTask, runTask } from '../../../bench/study/parallel/run-task.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const events = { ...eventsOf(['m 0 1 8', 'm 1 2 8', 'f 1 1']), source: 'recorded with LD_PRELOAD, linux x64' };
const timed: RunTask = {
  events,
  workload: 'test',
  parameters: {},
  allocator: 'glibc:arena_max=1',
  cpus: 2,
  mode: 'virtual',
  pace: 'recorded',
  seed: 5,
};

test('a recording is run at full speed with other seeds, as far as its length allows', () => {
  const seedsOf = (of: EventBuffer, task = timed) => fullSpeedSeeds(task, of).map(({ pace, seed }) => [pace, seed]);
  expect(seedsOf(events)).toEqual([7, 8, 9, 10].map((seed) => ['asap', seed]));
  expect(seedsOf({ ...events, length: 1_400_000 })).toHaveLength(2);
  expect(seedsOf({ ...events, length: 5_000_000 })).toEqual([]);
  expect(seedsOf({ ...events, source: 'made up' })).toEqual([]);
  expect(seedsOf(events, { ...timed, cpus: 1 })).toEqual([]);
});

test('what leaves the same in every run is held against the run as it is in the order of the trace, the rest against its least', () => {
  const range = (leastBytes: number, mostBytes: number): OrderRange => ({
    leastBytes,
    mostBytes,
    leftOut: 0,
    leftOutMostBytes: 0,
  });
  const facts = { sample: { rssBytes: 1000 } as Sample, orders: range(700, 1000) };
  const saved = (setting: string, orders: OrderRange | null) =>
    savedBytes(facts, { setting, rssBytes: 400, orders } as WhatIf);
  expect(saved('top_pad=0', null)).toBe(600);
  expect(saved('top_pad=0', range(395, 400))).toBe(600);
  expect(saved('top_pad=0', range(300, 500))).toBe(200);
  expect(saved('arena_max=1', range(395, 400))).toBe(300);
});

test('on other processors the allocator has as many arenas as on those of the run', () => {
  expect(keepingArenas('jemalloc@5.3.0', 2)).toBe('jemalloc@5.3.0:narenas=8');
  expect(keepingArenas('jemalloc@5.3.0', 1)).toBe('jemalloc@5.3.0:narenas=1');
  expect(keepingArenas('jemalloc@5.3.0:narenas=3', 2)).toBe('jemalloc@5.3.0:narenas=3');
  expect(keepingArenas('zendmm@8.2+glibc@2.36', 2)).toBe('zendmm@8.2+glibc@2.36:arena_max=16');
  expect(keepingArenas('glibc@2.36:arena_max=1', 2)).toBe('glibc@2.36:arena_max=1');
  const orders = otherOrders({ ...timed, allocator: 'jemalloc@5.3.0' }, { ...events, threadSlots: 5 });
  expect(orders.map(({ cpus, pace, allocator }) => [cpus, pace, allocator])).toEqual([
    [1, 'asap', 'jemalloc@5.3.0:narenas=8'],
    [5, 'recorded', 'jemalloc@5.3.0:narenas=8'],
    [2, 'asap', 'jemalloc@5.3.0'],
  ]);
});

test('a program whose threads have an arena each leaves as much on one processor', async () => {
  const lines = [0, 1, 2, 3].flatMap((t) => [
    ...Array.from({ length: 2000 }, (_, i) => `m ${t} ${t * 10_000 + i} 2000`),
    ...Array.from({ length: 1990 }, (_, i) => `f ${t} ${t * 10_000 + i}`),
  ]);
  const task: RunTask = { ...timed, events: eventsOf(lines), allocator: 'jemalloc@5.3.0', pace: 'asap' };
  const resident = async (of: RunTask) => (await runTask(of)).result.samples.at(-1)!.rssBytes;
  const [alone] = otherOrders(task, { ...task.events!, threadSlots: 4 });
  const asItIs = await resident(task);
  expect(alone!.cpus).toBe(1);
  expect(Math.abs((await resident(alone!)) - asItIs)).toBeLessThan(asItIs / 100);
});
