import { expect, test } from 'vitest';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import {
  OP_FAULTS,
  OP_FLUSHES,
  OP_MAPPINGS_ENTERED,
  OP_MUNMAP,
  OP_SLOW_CALLS,
  OP_ZERO_PAGES_REPLACED,
  OPERATIONS,
} from '../../sim/contract/operations.ts';
import { createVirtualLocks } from '../../sim/time/virtual-locks.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';

// What a lock guards comes over for nothing: the stretches are as long as the tests say.
const costs = { ...COST_PROFILES['vm']!, guardedTransferNs: 0 };

function setup(perVmaLocks = true) {
  const time = createVirtualTime(3, 3, costs, 1);
  for (let t = 0; t < 3; t++) {
    time.processor[t] = t;
    time.running[t] = t;
  }
  const operations = new Float64Array(OPERATIONS.length);
  const locks = createVirtualLocks({ time, operations, perVmaLocks });
  /** Thread `t` holds the lock from `from` for about `ns`. */
  const hold = (t: number, id: number, from: number, ns: number) => {
    time.clocks[t] = from;
    locks.acquire(t, id);
    const since = time.clocks[t]!;
    time.clocks[t] = since + ns;
    locks.release(t, id);
    return since;
  };
  return { time, operations, locks, hold };
}

test('nobody waits where the times do not meet', () => {
  const { locks, hold } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  hold(0, id, 0, 50);
  hold(1, id, 200, 50);
  hold(0, id, 400, 50);
  expect(locks.measured[id]).toMatchObject({ acquisitions: 3, contended: 0, waitNs: 0, ownerSwitches: 2 });
});

test('who comes while the lock is taken waits; a short wait is a futex call that fails', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  hold(0, id, 0, 100);
  const got = hold(1, id, 50, 100);
  expect(got).toBeGreaterThanOrEqual(100);
  expect(time.sleepNs[1]).toBe(0);
  expect(locks.measured[id]).toMatchObject({ contended: 1, futexWaits: 1 });
  expect(time.debts[0]).toBe(costs.futexWakeNs); // its release had to make a system call
});

test('a long wait sleeps, and its waker pays', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  hold(0, id, 0, 100_000);
  hold(1, id, 50, 100);
  // From the kernel's look at the lock on, which is on the way through the call.
  expect(time.sleepFrom[1]).toBeGreaterThan(50 + costs.futexWaitNs / 2);
  expect(time.sleepFrom[1]).toBeLessThanOrEqual(50 + costs.futexWaitNs);
  expect(time.sleepNs[1]).toBeGreaterThan(90_000);
  expect(time.debts[0]).toBe(costs.futexWakeNs + costs.wakeIdleNs);
});

test('who wakes finds a lock taken that another thread takes again and again', () => {
  const futexWaits = (rounds: number): number => {
    const { locks, hold } = setup();
    const id = locks.create('main_arena.mutex', 'futex');
    for (let from = 0; from < 1e7; from += 1e6) {
      for (let i = 0; i < rounds; i++) hold(0, id, from + i * 1000, 900);
      hold(0, id, from + rounds * 1000, 5000);
      hold(1, id, from + rounds * 1000 + 50, 100);
    }
    return locks.measured[0]!.futexWaits;
  };
  expect(futexWaits(0)).toBe(10);
  expect(futexWaits(90)).toBeGreaterThan(15);
});

test('a spinning waiter keeps its processor until the limit', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('bin', 'spin-then-futex');
  hold(0, id, 0, 1000);
  hold(1, id, 50, 100);
  expect(locks.measured[id]).toMatchObject({ contended: 1, futexWaits: 0 });
  expect(time.sleepNs[1]).toBe(0);
  hold(2, id, 1300, 50);
  time.horizon[0] = 5000;
  hold(0, id, 5000, 2 * costs.spinLimitNs);
  hold(1, id, 5050, 100);
  expect(locks.measured[id]!.futexWaits).toBe(1);
});

test('trylock fails while the lock is taken, and only then', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('arena 1 mutex', 'futex');
  hold(0, id, 100, 100);
  time.clocks[1] = 150;
  expect(locks.tryAcquire(1, id)).toBe(false);
  time.clocks[1] = 400;
  expect(locks.tryAcquire(1, id)).toBe(true);
  locks.release(1, id);
  expect(locks.measured[id]).toMatchObject({ failedTries: 1, acquisitions: 2, contended: 0 });
});

test('trylock fails as long as who holds the lock is off its processor', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('arena 1 mutex', 'futex');
  const since = hold(0, id, 100, 100);
  const tries = (preemptedAt: number) => {
    time.preemptedAt[0] = preemptedAt;
    time.clocks[1]! += 1e6;
    const got = locks.tryAcquire(1, id);
    if (got) locks.release(1, id);
    return got;
  };
  expect(tries(since + 50)).toBe(false);
  expect(tries(since + 50)).toBe(false);
  expect(tries(since + 1000)).toBe(true); // after its release
  hold(0, id, 9e6, 100);
  time.clocks[1] = 9e6;
  expect(tries(9e6 + 50)).toBe(false);
  expect(tries(-1)).toBe(true); // it is back
});

test('who needs a lock whose holder is off its processor sleeps until that one is back, and the others after it', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('arena 1 mutex', 'futex');
  const since = hold(0, id, 100, 1000);
  time.preemptedAt[0] = since + 400;
  hold(1, id, 5000, 100);
  hold(2, id, 6000, 100);
  expect([...time.sleepsFor]).toEqual([0, 1, 1]);
  expect(time.sleepNs[1]).toBeGreaterThan(0);
  time.preemptedAt[0] = -1;
  const first = locks.wakeSleeper(0, 1, 1e6);
  const second = locks.wakeSleeper(0, 2, 1e6);
  expect(first).toBeGreaterThan(1e6 + 600); // what was left of the holding
  expect(first).toBeLessThan(1e6 + 600 + 2 * costs.wakeLatencyNs);
  expect(second).toBeGreaterThan(first);
  expect([...time.sleepsFor]).toEqual([0, 0, 0]);
  expect(locks.measured[id]).toMatchObject({ contended: 2, futexWaits: 2 });
  expect(locks.measured[id]!.waitNsMax).toBeGreaterThan(990_000);
  // It is free again, at a time that nobody has used.
  time.sleepNs.fill(0);
  hold(0, id, 3e6, 100);
  expect(time.sleepNs[0]).toBe(0);
});

test('before its call a thread sleeps for a lock that is held off its processor; each that has had it wakes the next', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  const woken: [number, number][] = [];
  locks.onWoken((t, at) => woken.push([t, at]));
  const since = hold(0, id, 100, 1000);
  expect(locks.sleepsFirst(1, id)).toBe(false);
  time.preemptedAt[0] = since + 400;
  expect(locks.isHeldOff(id)).toBe(true);
  time.clocks[1] = 5000;
  time.clocks[2] = 6000;
  expect(locks.sleepsFirst(1, id)).toBe(true);
  expect(locks.sleepsFirst(2, id)).toBe(true);
  expect(locks.sleepsFirst(0, id)).toBe(false); // its own
  time.preemptedAt[0] = -1;
  locks.runs(0, 1e6);
  expect(woken.map(([t]) => t)).toEqual([1]);
  expect(woken[0]![1]).toBeGreaterThan(1e6 + 600); // what was left of the holding
  hold(1, id, 2e6, 100);
  expect(woken.map(([t]) => t)).toEqual([1, 2]);
  expect(woken[1]![1]).toBeGreaterThan(2e6);
  hold(2, id, 3e6, 100);
  expect(woken).toHaveLength(2);
  // The holder, and both that had slept: the last one cannot know that it is the last.
  expect(locks.measured[id]).toMatchObject({ acquisitions: 3, contended: 2, futexWaits: 2, futexWakes: 3 });
});

test('who was woken for a lock and does not take it wakes the next all the same', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  const woken: number[] = [];
  locks.onWoken((t) => woken.push(t));
  time.preemptedAt[0] = hold(0, id, 100, 1000) + 400;
  locks.sleepsFirst(1, id);
  locks.sleepsFirst(2, id);
  time.preemptedAt[0] = -1;
  locks.runs(0, 1e6);
  locks.called(1);
  expect(woken).toEqual([1, 2]);
});

test('what others push without the lock costs them its line, its owner the line back, and a line for each thing that it takes', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  const line = costs.lineTransferNs;
  const nsOf = (t: number, action: () => void) => {
    const before = time.clocks[t]!;
    action();
    return time.clocks[t]! - before;
  };
  hold(0, id, 0, 50);
  time.clocks[1] = 1000;
  expect(nsOf(0, () => locks.push(0, id))).toBe(0); // on its own processor
  expect(nsOf(1, () => locks.push(1, id))).toBe(line);
  expect(nsOf(1, () => locks.push(1, id))).toBe(0); // the line is there by now
  time.clocks[0] = 2000;
  expect(nsOf(0, () => locks.acquire(0, id))).toBe(line + costs.lockNs);
  expect(nsOf(0, () => locks.pull(0, id, 3))).toBe(2 * line); // one of the three was its own
  expect(nsOf(0, () => locks.pull(0, id, 3))).toBe(0);
  locks.release(0, id);
  expect(nsOf(0, () => locks.acquire(0, id))).toBe(costs.lockNs);
  locks.release(0, id);
});

test('another lock that was used at a later time does not count as held', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('free_list_lock', 'futex');
  hold(1, id, 90_000, 50);
  hold(0, id, 1000, 50);
  time.preemptedAt[0] = 40_000;
  expect(locks.isHeldOff(id)).toBe(false);
});

test('the first call of a kind on a processor takes longer, the first fault of a mapping too', () => {
  const { operations, locks, time } = setup();
  const call = (t: number) => {
    const before = time.clocks[t]!;
    operations[OP_MUNMAP]!++;
    operations[OP_FAULTS]!++;
    locks.acquire(t, id);
    locks.release(t, id);
    return time.clocks[t]! - before;
  };
  const id = locks.create('mmap_lock', 'kernel');
  const first = call(0);
  expect(first - call(0)).toBeGreaterThan(0.7 * costs.coldCallNs);
  time.clocks[1] = 1e6;
  expect(call(1)).toBeGreaterThan(0.7 * costs.coldCallNs);
  time.clocks[2] = 2e6;
  operations[OP_FAULTS]!++;
  locks.settle(2);
  const plain = time.clocks[2]! - 2e6;
  operations[OP_FAULTS]!++;
  operations[OP_MAPPINGS_ENTERED]!++;
  locks.settle(2);
  expect(time.clocks[2]! - 2e6 - plain).toBeGreaterThan(plain + costs.operations.mappingsEntered);
});

test('what passed for everybody is forgotten: a lock does not grow', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  for (let i = 0; i < 1000; i++) {
    time.horizon[0] = i * 100;
    hold(i % 3, id, i * 100, 20);
  }
  expect(locks.measured[id]).toMatchObject({ acquisitions: 1000, contended: 0 });
});

test('any number of locks can be used, as long as not all are at the same time', () => {
  const { locks, hold, time } = setup();
  const ids = Array.from({ length: 20_000 }, (_, i) => locks.create(`arena ${i} mutex`, 'futex'));
  ids.forEach((id, i) => {
    time.horizon[0] = i * 100;
    hold(0, id, i * 100, 20);
  });
  hold(1, ids[0]!, 20_000 * 100, 20);
  const late = ids.at(-1)!;
  hold(2, late, 19_999 * 100 + 5, 20);
  expect(locks.measured[ids[0]!]).toMatchObject({ acquisitions: 2, contended: 0, ownerSwitches: 1 });
  expect(locks.measured[late]).toMatchObject({ acquisitions: 2, contended: 1 });
});

test('pages that are taken away interrupt the other running threads', () => {
  const { operations, locks, time } = setup();
  const id = locks.create('mmap_lock', 'kernel');
  locks.acquire(0, id);
  operations[OP_FLUSHES] = 1;
  operations[OP_MUNMAP] = 1;
  locks.release(0, id);
  expect(time.clocks[0]).toBeGreaterThan(2 * costs.shootDownNs);
  expect([...time.debts]).toEqual([0, costs.interruptNs, costs.interruptNs]);
});

test('each zero page that is written to is taken from every processor', () => {
  const { operations, locks, time } = setup();
  operations[OP_FAULTS] = 3;
  operations[OP_ZERO_PAGES_REPLACED] = 2;
  locks.settle(0);
  expect(time.clocks[0]).toBeGreaterThan(4 * costs.shootDownNs);
  expect([...time.debts]).toEqual([0, 2 * costs.interruptNs, 2 * costs.interruptNs]);
  locks.settle(0);
  expect(time.debts[1]).toBe(2 * costs.interruptNs);
});

test('a lock that had one owner all the time is still found taken by the next', () => {
  const { locks, hold } = setup();
  const id = locks.create('arena 1.mutex', 'futex');
  for (let from = 0; from < 300_000; from += 1000) hold(0, id, from, 100);
  hold(0, id, 300_000, 1000);
  expect(hold(1, id, 300_500, 100)).toBeGreaterThanOrEqual(301_000);
  expect(locks.measured[id]).toMatchObject({ acquisitions: 302, contended: 1, ownerSwitches: 1 });
});

test('before Linux 6.4 faults wait for writers of mmap_lock, afterwards not', () => {
  for (const [perVmaLocks, waits] of [
    [false, true],
    [true, false],
  ] as const) {
    const { operations, locks, hold, time } = setup(perVmaLocks);
    const id = locks.create('mmap_lock', 'kernel');
    hold(0, id, 0, 50_000);
    time.clocks[1] = 1000;
    operations[OP_FAULTS]!++;
    locks.settle(1);
    expect(time.clocks[1]! > 50_000).toBe(waits);
  }
});

test('the same counts cost the same but for the jitter of the seed', () => {
  const { operations, locks, time } = setup();
  operations[OP_SLOW_CALLS] = 1000;
  locks.settle(0);
  expect(time.clocks[0]! / (1000 * costs.operations.slowCalls)).toBeGreaterThan(0.89);
  expect(time.clocks[0]! / (1000 * costs.operations.slowCalls)).toBeLessThan(1.11);
  const before = time.clocks[0];
  locks.settle(0);
  expect(time.clocks[0]).toBe(before);
});

test('a lock that was held when its holder lost its processor stays taken, whatever it did with it later in the call', () => {
  const { locks, hold, time } = setup();
  const id = locks.create('main_arena.mutex', 'futex');
  time.sliceEnd[0] = 150;
  hold(0, id, 100, 100);
  hold(0, id, 300, 10);
  time.clocks[1] = 1000;
  expect(locks.tryAcquire(1, id)).toBe(true); // nobody has taken the processor from it
  locks.release(1, id);
  hold(0, id, 2000, 10);
  time.sliceEnd[0] = 2150;
  hold(0, id, 2100, 100);
  hold(0, id, 2300, 10);
  time.preemptedAt[0] = 2150;
  time.clocks[1] = 3000;
  expect(locks.tryAcquire(1, id)).toBe(false);
  time.preemptedAt[0] = -1;
  expect(locks.tryAcquire(1, id)).toBe(true);
});

test('what a call shows to others waits for its thread to be back from a sleep, or on its processor', () => {
  const { locks, time } = setup();
  const shown: string[] = [];
  locks.whenBack(0, () => shown.push('at once'));
  expect(shown).toEqual(['at once']);
  time.sleepNs[0] = 10;
  locks.whenBack(0, () => shown.push('after the sleep'));
  time.sleepNs[0] = 0;
  time.sliceEnd[0] = 5;
  time.clocks[0] = 6;
  locks.whenBack(0, () => shown.push('with its processor'));
  expect(shown).toHaveLength(1);
  locks.goesOn(1);
  expect(shown).toHaveLength(1);
  locks.goesOn(0);
  expect(shown).toEqual(['at once', 'after the sleep', 'with its processor']);
  locks.goesOn(0);
  expect(shown).toHaveLength(3);
});
