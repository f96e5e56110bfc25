import { expect, test } from 'vitest';
import { keepingArenas } from '../../../bench/study/explain/settings/kept-arenas.ts';
import { savedBytes, withoutHeaps } from '../../../bench/study/explain/settings/orders.ts';
import { fewOf, otherOrders } from '../../../bench/study/explain/settings/other-orders.ts';
import type { OrderRange, WhatIf } from '../../../bench/study/explain/settings/what-if.ts';
import { type RunTask, runTask } from '../../../bench/study/parallel/run-task.ts';
import { shapeOf } from '../../../bench/study/parallel/task-shape.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const events = {
  ...eventsOf(['m 0 1 8', '+ 1000', 'm 1 2 8', 'f 1 1']),
  source: 'recorded with LD_PRELOAD, linux x64',
};
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

const ordersOf = (of: EventBuffer, task = timed, isAsItIs = false) =>
  otherOrders(task, of, isAsItIs).map(({ pace, pausesFromNs, affinity = task.cpus, seed }) => [
    pausesFromNs ? 'fast' : pace,
    affinity,
    seed,
  ]);

test('a recording is run at full speed, on one processor, and with other seeds, as far as its length allows', () => {
  expect(ordersOf(events)).toEqual([['fast', 2, 5], ['fast', 1, 5], ...[7, 8, 9, 10].map((seed) => ['fast', 2, seed])]);
  expect(ordersOf(events, timed, true)).toHaveLength(2);
  expect(ordersOf({ ...events, length: 1_400_000 })).toHaveLength(2);
  expect(ordersOf({ ...events, length: 50_000_000 })).toEqual([['fast', 2, 5]]);
  expect(ordersOf(events, { ...timed, cpus: 1 })).toEqual([
    ['fast', 1, 5],
    ...[7, 8, 9, 10, 11].map((seed) => ['fast', 1, seed]),
  ]);
  expect(fewOf(otherOrders(timed, events, false))).toEqual(otherOrders(timed, events, false).slice(0, 3));
});

test('a program that was made up has its own pace in them', () => {
  const madeUp = { ...events, source: 'made up' };
  expect(ordersOf(madeUp, { ...timed, cpus: 4 }).slice(0, 2)).toEqual([
    ['asap', 1, 5],
    ['recorded', 4, 7],
  ]);
});

test('all of them can be made in the machine of the timed run', () => {
  const shapes = [timed, ...otherOrders(timed, events, false)].map(shapeOf);
  expect(new Set(shapes).size).toBe(1);
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
  const untimed = { ...events, ...eventsOf(['m 0 1 8', 'm 1 2 8', 'm 2 3 8']) };
  const [all] = otherOrders({ ...timed, allocator: 'jemalloc@5.3.0', pace: 'asap' }, untimed, false);
  expect(all).toMatchObject({ cpus: 3, allocator: 'jemalloc@5.3.0:narenas=8' });
});

test('a program whose threads have an arena each leaves as much on one processor', async () => {
  const lines = [0, 1, 2, 3].flatMap((t) => [
    ...Array.from({ length: 2000 }, (_, i) => `m ${t} ${t * 10_000 + i} 2000`),
    ...Array.from({ length: 1990 }, (_, i) => `f ${t} ${t * 10_000 + i}`),
  ]);
  const task: RunTask = { ...timed, events: eventsOf(lines), allocator: 'jemalloc@5.3.0', pace: 'asap' };
  const resident = async (of: RunTask) => (await runTask(of)).result.samples.at(-1)!.rssBytes;
  const alone = otherOrders(task, task.events!, false).find(({ affinity }) => affinity === 1);
  const asItIs = await resident(task);
  expect(Math.abs((await resident(alone!)) - asItIs)).toBeLessThan(asItIs / 100);
});

test('what a setting sets beside the heaps that threads share', () => {
  const rest = (setting: string) => withoutHeaps({ setting } as WhatIf);
  expect(rest('arena_max=1,mmap_threshold=131072')).toBe('mmap_threshold=131072');
  expect(rest('dirty_decay_ms=0,narenas=1,tcache=false')).toBe('dirty_decay_ms=0,tcache=false');
  expect(rest('arena_max=1')).toBe('');
});
