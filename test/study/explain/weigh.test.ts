import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { RunOptions } from '../../../bench/run/run-options.ts';
import { pricesInOrders, weigh } from '../../../bench/study/explain/advice/weigh.ts';
import { conclude } from '../../../bench/study/explain/conclude.ts';
import type { RunTimes } from '../../../bench/study/explain/explanation.ts';
import { observe } from '../../../bench/study/explain/observe.ts';
import { sharesHeaps } from '../../../bench/study/explain/settings/orders.ts';
import { createSharedRuns } from '../../../bench/study/explain/settings/shared-runs.ts';
import type { Timed, Timings } from '../../../bench/study/explain/settings/timed.ts';
import { usualTrials } from '../../../bench/study/explain/settings/trials.ts';
import type { OrderRange, Trial } from '../../../bench/study/explain/settings/what-if.ts';
import { createRunner } from '../../../bench/study/parallel/run-all.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

/** A cache that is full of freed blocks lies above a free page: without it the heap ends lower. */
const LINES = [
  'm 0 9999 100',
  ...Array.from({ length: 400 }, (_, i) => `m 0 ${i} 1000`),
  ...Array.from({ length: 400 }, (_, i) => `f 0 ${399 - i}`),
];
const KIB = 1024;
const SINGLE: RunOptions = {
  events: eventsOf(LINES),
  workload: 'test',
  spec: parseAllocator('glibc@2.36', 2),
  cpus: 2,
};

/** What is advised where virtual time ends `offBytes` off the order of the trace, and other seeds leave `seeds`. */
async function adviceWhere(
  offBytes: number,
  seeds: { asItIs: OrderRange; setting: OrderRange },
  options: RunOptions = SINGLE,
  faultsOf: (allocator: string) => number = () => 0,
) {
  const observed = observe(options);
  const { event, sample } = observed.facts;
  const shared = createSharedRuns(options);
  const trials = usualTrials(options, event);
  const runner = createRunner({ workers: 1 });
  for (const trial of shared.claim(trials)) shared.keep(trial, (await runner.run([trial.task]))[0]!.result);
  await runner.close();
  const again: Trial[] = [];
  const timed: Trial[] = [];
  const begun: (Trial | null)[] = [];
  let tell = () => {};
  const inAll: Trial[] = [];
  const asItIsInOrders: boolean[] = [];
  const timedAs = (bytes: number, allocator: string): Timed => ({
    times: { cpuNs: 1000, lockWaitNs: 0, faults: faultsOf(allocator), syscalls: 0, threadNs: 1000 },
    orders: only(bytes + offBytes),
  });
  const settingTimed = (trial: Trial) => timedAs(shared.of(trial)!.samples.at(-1)!.rssBytes, trial.task.allocator);
  const timings: Timings = {
    async of(trial, orders) {
      (orders === 'all' ? inAll : timed).push(trial);
      tell();
      return settingTimed(trial);
    },
    async asItIs(against) {
      asItIsInOrders.push(against.some(sharesHeaps));
      return timedAs(sample.rssBytes, '');
    },
    soFar: (trial) => (trial ? settingTimed(trial) : timedAs(sample.rssBytes, '')),
    isOfOneShape: () => true,
    onRun: (heardOf) => void (tell = heardOf),
    async again(trial) {
      again.push(trial);
      return [seeds.setting, seeds.asItIs];
    },
    begin: (trial) => void begun.push(trial),
  };
  const weighed = await weigh(options, observed, shared, trials, timings);
  const { verdict, orders } = conclude(options, observed, shared, trials, false, weighed);
  return { again, asItIsInOrders, inAll, verdict, orders, timed, begun, rssBytes: sample.rssBytes };
}

const only = (bytes: number): OrderRange => ({ leastBytes: bytes, mostBytes: bytes, leftOut: 0, leftOutMostBytes: 0 });

test('where virtual time agrees with the order of the trace no other seed is run', async () => {
  const { again, asItIsInOrders, verdict, rssBytes } = await adviceWhere(0, { asItIs: only(0), setting: only(0) });
  expect(rssBytes).toBeGreaterThan(300 * KIB);
  expect(verdict.advice?.setting).toBe('tcache_count=0');
  expect(again).toEqual([]);
  expect(asItIsInOrders).toEqual([false]);
});

test('a close call is run with other seeds, as it is too, and stands where they confirm it', async () => {
  const { again, verdict, orders, rssBytes } = await adviceWhere(60 * KIB, {
    asItIs: { leastBytes: 350 * KIB, mostBytes: 420 * KIB, leftOut: 0, leftOutMostBytes: 0 },
    setting: only(100 * KIB),
  });
  expect(again.map((trial) => trial.setting.about)).toEqual(['no thread caches']);
  expect(verdict.advice?.setting).toBe('tcache_count=0');
  expect(orders).toEqual({ leastBytes: 350 * KIB, mostBytes: rssBytes + 60 * KIB, leftOut: 0, leftOutMostBytes: 0 });
});

test('and falls where they do not', async () => {
  const { verdict } = await adviceWhere(60 * KIB, { asItIs: only(300 * KIB), setting: only(250 * KIB) });
  expect(verdict.advice).toBeNull();
  expect(verdict.answer.join(' ')).toMatch(/It may help in some runs of the program: .* with tcache_count=0/);
});

/** Eight threads, each with a buffer of its own again and again: in this order all hold theirs at once. */
const BUFFERS: RunOptions = {
  ...SINGLE,
  events: eventsOf([
    'm 0 9999 3000000',
    'f 0 9999',
    ...Array.from({ length: 8 }, (_, i) => `m ${i + 1} ${100 + i} 10`),
    ...Array.from({ length: 10 }, () => [
      ...Array.from({ length: 8 }, (_, i) => `m ${i + 1} ${i} 2500000`),
      ...Array.from({ length: 8 }, (_, i) => `f ${i + 1} ${i}`),
    ]).flat(),
    'm 0 9998 100',
  ]),
};

test.each([
  ['and is advised where these are few', 5_000, 'arena_max=1'],
  ['and falls where these are as many', 50_000, undefined],
])(
  'a setting of arenas that the order of the trace makes dear is judged by its faults in virtual time, %s',
  async (_, faults, setting) => {
    const seeds = { asItIs: only(0), setting: only(0) };
    const { verdict, rssBytes, asItIsInOrders, inAll } = await adviceWhere(0, seeds, BUFFERS, (allocator) =>
      allocator.includes('arena_max=2') ? 50_000 : allocator.includes('arena_max=1') ? faults : 5_000,
    );
    expect(new Set(asItIsInOrders)).toEqual(new Set([true]));
    if (setting) expect(inAll.map(({ setting }) => setting.options)).toEqual([{ arena_max: 1 }]);
    expect(rssBytes).toBeGreaterThan(15_000 * KIB);
    expect(verdict.advice?.setting).toBe(setting);
  },
);

test('what is timed next is begun once the runs that have ended tell it', async () => {
  const seeds = { asItIs: only(0), setting: only(0) };
  const { timed, begun } = await adviceWhere(0, seeds, BUFFERS, () => 50_000);
  expect(timed.length).toBeGreaterThan(1);
  const names = (trials: readonly (Trial | null)[]) => [...new Set(trials.map((trial) => trial?.task.allocator))];
  expect(names(begun)).toEqual(expect.arrayContaining(names(timed.slice(1))));
});

test('what threads would share is run in other orders, whatever that of the trace tells', async () => {
  const events = eventsOf([...LINES, 'm 1 777 100']);
  const settings = async (of: RunOptions) =>
    (await adviceWhere(0, { asItIs: only(0), setting: only(0) }, of)).timed.map(({ setting }) => setting.options);
  expect(await settings({ ...SINGLE, events })).toContainEqual({ arena_max: 1 });
  expect(await settings(SINGLE)).toEqual([{ tcache_count: 0 }]);
});

test('the price of a setting is what it takes more where that is least, of the orders that were run both ways; the most is told beside', () => {
  const times = (faults: number, cpuNs: number): RunTimes => ({
    faults,
    syscalls: 10,
    cpuNs,
    lockWaitNs: 0,
    threadNs: 1000,
  });
  const timed = (first: RunTimes, ...inOrders: (RunTimes | null)[]): Timed => ({
    times: first,
    inOrders,
    orders: null,
  });
  const asItIs = timed(times(100, 50), times(90, 60), null);
  expect(pricesInOrders(timed(times(300, 80), times(150, 102), times(10, 10), times(5, 5)), asItIs)).toEqual({
    ...times(167, 80),
    cpuMostNs: 85,
  });
  // Where all takes far more that is no saving of the setting's.
  const slow = timed(times(100, 50), times(100, 400));
  expect(pricesInOrders(timed(times(100, 60), times(100, 200)), slow)).toEqual({ ...times(100, 25), cpuMostNs: 60 });
  expect(pricesInOrders(timed(times(300, 80)), asItIs)).toEqual({ ...times(300, 80), cpuMostNs: 80 });
});
