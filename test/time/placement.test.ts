import { expect, test } from 'vitest';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { COMES_NEW, createFairClass } from '../../sim/time/fair.ts';
import { createPlacement } from '../../sim/time/placement.ts';
import { createTopology } from '../../sim/time/topology.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';

const MS = 1_000_000;

/** A machine; `running` by processor, and threads that queue there. */
function machine(
  topology: string,
  cpus: number,
  busy: readonly number[],
  queues: Readonly<Record<number, number>> = {},
) {
  const threads = 64;
  const time = createVirtualTime({
    threads,
    cpus,
    costs: COST_PROFILES['vm']!,
    seed: 0,
    topology: createTopology(topology, cpus, 30),
    version: '6.18',
    hz: 250,
  });
  const fair = createFairClass('6.18', threads, cpus, 4_000_000);
  const placement = createPlacement(time, fair, () => {});
  let next = 1;
  for (const p of busy) {
    time.running[p] = next;
    time.processor[next++] = p;
  }
  for (const [p, count] of Object.entries(queues)) {
    for (let i = 0; i < count; i++) {
      fair.enqueue(Number(p), next, time.running[Number(p)]!, COMES_NEW);
      time.processor[next++] = Number(p);
    }
  }
  return { time, fair, placement, woken: 0 };
}

// select_task_rq_fair(), select_idle_sibling(): kernel/sched/fair.c
test('a woken thread goes where it was, if that idles', () => {
  const { time, placement, woken } = machine('milan', 16, [0, 1]);
  time.processor[woken] = 5;
  expect(placement.forWakeUp(woken, 0)).toBe(5);
});

test('else to an idle processor of its last-level cache, and not to another cache', () => {
  const { time, placement, woken } = machine('milan', 16, [0, 1, 2, 3, 4, 5, 6]);
  time.processor[woken] = 3;
  expect(placement.forWakeUp(woken, 3)).toBe(7);
  const full = machine('milan', 16, [0, 1, 2, 3, 4, 5, 6, 7]);
  full.time.processor[woken] = 3;
  expect(full.placement.forWakeUp(woken, 3)).toBe(3);
});

test('an idle core comes before the idle sibling of a busy one', () => {
  // Zen 3: processors 0 to 15 are cores, 16 to 31 their second threads; 0 to 7 and 16 to 23 share a cache.
  const { time, placement, woken } = machine('zen3', 32, [0, 1, 2, 3, 5, 6, 7]);
  time.processor[woken] = 3;
  expect(placement.forWakeUp(woken, 3)).toBe(4);
});

test('towards the waker where there is less to do', () => {
  const { time, placement, woken } = machine('milan', 16, [0, 8, 9, 10, 11, 12, 13, 14, 15], { 8: 3 });
  time.processor[woken] = 8;
  expect(placement.forWakeUp(woken, 0)).toBe(1);
});

// sched_balance_find_dst_cpu()
test('a new thread goes to the last-level cache that idles most', () => {
  const { placement } = machine('milan', 24, [0, 1, 2, 8, 9]);
  expect(placement.forBegin(0)).toBe(16);
});

// adjust_numa_imbalance(): Cascade Lake has 18 cores of two threads in a socket, processors 0 to 17 and 36 to 53 in the first.
test('a new thread stays in the socket of its maker while few run there and it idles about as much', () => {
  const two = machine('cascadelake', 72, [0]);
  expect(two.placement.forBegin(0)).toBe(1);
  const five = machine('cascadelake', 72, [0, 1, 2]);
  expect(five.placement.forBegin(0)).toBe(18);
  const second = machine('cascadelake', 72, [20]);
  expect(second.placement.forBegin(20)).toBe(18);
});

test('a new thread goes to the shortest queue where nobody idles', () => {
  const { placement } = machine('pair', 3, [0, 1, 2], { 0: 2, 2: 1 });
  expect(placement.forBegin(0)).toBe(1);
});

// sched_balance_newidle(), task_hot()
test('who has become idle pulls a thread, but not one that ran less than half a millisecond ago', () => {
  const { fair, placement } = machine('pair', 2, [1], { 1: 1 });
  const queued = fair.first(1);
  placement.ranAt[queued] = 0;
  expect(placement.pullWhenIdle(0, 0.4 * MS)).toBe(-1);
  expect(placement.pullWhenIdle(0, 0.5 * MS)).toBe(queued);
  expect(fair.queued[1]).toBe(0);
});

test('it pulls from its own last-level cache first', () => {
  const { fair, placement } = machine('milan', 16, [1, 9], { 1: 1, 9: 3 });
  const near = fair.first(1);
  expect(placement.pullWhenIdle(0, MS)).toBe(near);
});

test('a hot thread is moved after two vain looks of the balance', () => {
  const { fair, placement } = machine('pair', 2, [1], { 1: 1 });
  const queued = fair.first(1);
  const moved: number[] = [];
  for (let at = 10 * MS; at < 60 * MS && moved.length === 0; at += 4 * MS) {
    placement.ranAt[queued] = at;
    placement.balance(at, (p, t) => moved.push(p, t));
    if (at === 10 * MS) expect(moved).toEqual([]);
  }
  expect(moved).toEqual([0, queued]);
});

// calculate_imbalance(): migrate_load; shr_bound()
test('a thread more than elsewhere goes from processor to processor, the sooner the more the average leaves to be moved', () => {
  const vain = (cpus: number) => {
    const busy = Array.from({ length: cpus }, (_, p) => p);
    const { fair, placement } = machine('pair', cpus, busy, { 1: 1 });
    placement.ranAt[fair.first(1)] = -Infinity;
    let looks = 0;
    for (let at = 10 * MS; fair.queued[1] === 1; at += 1000 * MS, looks++) placement.balance(at, () => {});
    return looks - 1;
  };
  expect(vain(2)).toBe(1);
  expect(vain(4)).toBe(2);
  expect(vain(8)).toBe(3);
});

test('under taskset nobody comes to a processor that is not allowed', () => {
  const { time, placement } = machine('milan', 4, [0, 1], { 0: 2 });
  time.affinity = 2;
  expect(placement.forWakeUp(1, 0)).toBe(0);
  expect([0, 1]).toContain(placement.forBegin(0));
  const taken: number[] = [];
  placement.balance(100 * MS, (p) => taken.push(p));
  expect(taken.filter((p) => p > 1)).toEqual([]);
});
