import { describe, expect, test } from 'vitest';
import { playCore, type Step } from './core.ts';

const MS = 1_000_000;
const hold = (before: number, held: number, name = ''): Step[] => [
  ['user', before],
  ['lock', 'lock'],
  ['note', `${name} has it`],
  ['user', held],
  ['unlock', 'lock'],
  ['note', `${name} gave it`],
  ['user', 1],
];

describe('glibc’s low-level lock', () => {
  test('who finds it taken sleeps, and has it when it is woken', () => {
    const { at, lock, scheduler } = playCore([hold(10, 5000, 'a'), hold(100, 50, 'b')], {
      cpus: 2,
      costs: { futexWaitNs: 300, futexWakeNs: 200, futexWakeWorkNs: 40, wakeIdleNs: 700, wakeLatencyNs: 2000 },
    });
    // The waker is busy with the way in, what it does under the bucket's lock, the wake-up, and the way back.
    const woken = 10 + 5000 + 100 + 40;
    expect(at('a gave it')).toBe(woken + 700 + 100);
    expect(at('b has it')).toBe(woken + 2000);
    expect(lock('lock')).toMatchObject({
      acquisitions: 2,
      contended: 1,
      futexWaits: 1,
      futexWakes: 2,
      ownerSwitches: 1,
    });
    expect(scheduler.timesOf(1)).toMatchObject({ sleeps: 1, wakes: 1 });
  });

  test('a word that has changed sends the waiter back at once (EAGAIN); who took it that way wakes in vain', () => {
    // Released while the waiter is on its way into the kernel.
    const { at, lock, scheduler } = playCore([hold(10, 150, 'a'), hold(100, 50, 'b')], {
      cpus: 2,
      costs: { futexWaitNs: 300, futexWakeNs: 200 },
    });
    expect(at('b has it')).toBe(100 + 300);
    expect(scheduler.timesOf(1).sleeps).toBe(0);
    expect(lock('lock')).toMatchObject({ futexWaits: 1, futexWakes: 2 });
  });

  test('the way back from the kernel is as long as the way in: the waiter looks at the word half way', () => {
    // b looks at 100 + 100 + 100 ns, 5 ns after a has released; a's own call is over at 295 + 200.
    const { at, scheduler } = playCore([hold(10, 285, 'a'), hold(100, 50, 'b')], {
      cpus: 2,
      costs: { futexWaitNs: 300, futexWakeNs: 200, futexWakeWorkNs: 0 },
    });
    expect(scheduler.timesOf(1).sleeps).toBe(0);
    expect(at('b has it')).toBe(400);
    expect(at('a gave it')).toBe(495);
  });

  test('a woken thread has no right to it: who comes meanwhile takes it', () => {
    // Threads begin at 3,000; the first one releases at 5,010, and the one that it wakes is there at 8,010.
    const barger = hold(3500, 8000, 'c');
    const { at, lock } = playCore([hold(10, 5000, 'a'), hold(100, 50, 'b'), barger], {
      cpus: 3,
      costs: { wakeLatencyNs: 3000 },
    });
    expect(at('c has it')).toBe(6500);
    expect(at('b has it')).toBeGreaterThan(14_000);
    expect(lock('lock').futexWaits).toBe(2);
  });

  test('sleepers are woken one by one, the first to come first', () => {
    const scripts = [hold(0, 50_000, 't0'), ...[1, 2, 3, 4].map((n) => hold(n * 1000, 2000, `t${n}`))];
    const { notes, lock } = playCore(scripts, { cpus: 5, costs: { futexWaitNs: 100, futexWakeNs: 100 } });
    const got = notes.filter(({ note }) => note.endsWith('has it')).map(({ thread }) => thread);
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(lock('lock').futexWaits).toBe(4);
  });

  test('calls on one word take their bucket’s lock one after the other', () => {
    // All come at once; each does 1,000 ns under the bucket's lock before it sleeps.
    const scripts = [hold(0, MS, 't0'), ...[1, 2, 3, 4, 5, 6].map((n) => hold(100, 10, `t${n}`))];
    const { scheduler } = playCore(scripts, { cpus: 7, costs: { futexWaitNs: 1000 } });
    const waited = [1, 2, 3, 4, 5, 6].map((t) => scheduler.timesOf(t).onProcessorNs).sort((a, b) => a - b);
    for (let i = 0; i < 6; i++) expect(waited[i]!).toBeGreaterThanOrEqual((i + 1) * 1000);
    expect(waited[5]! - waited[0]!).toBeGreaterThanOrEqual(5000);
  });
});

describe('jemalloc’s mutex', () => {
  const locks = { lock: 'spin-then-futex' } as const;

  test('a spinner takes it at its next look, without a call', () => {
    const { at, lock } = playCore([hold(10, 1000, 'a'), hold(100, 50, 'b')], {
      cpus: 2,
      locks,
      costs: { spinLimitNs: 6000 }, // 600 looks, 10 ns each
    });
    expect(at('b has it')).toBe(1010);
    expect(lock('lock')).toMatchObject({ contended: 1, futexWaits: 0, futexWakes: 0 });
  });

  test('after 600 looks it sleeps', () => {
    const { lock, scheduler } = playCore([hold(10, 50_000, 'a'), hold(100, 50, 'b')], {
      cpus: 2,
      locks,
      costs: { spinLimitNs: 6000 },
    });
    expect(lock('lock')).toMatchObject({ futexWaits: 1, futexWakes: 2 });
    expect(scheduler.timesOf(1)).toMatchObject({ sleeps: 1, onProcessorNs: 100 + 6000 + 50 + 1 });
  });

  test('one processor alone does not spin', () => {
    const { lock } = playCore([hold(10, 20 * MS, 'a'), hold(100, 50, 'b')], {
      cpus: 1,
      locks,
      costs: { spinLimitNs: 6000 },
    });
    expect(lock('lock').acquisitions).toBe(2);
  });
});

test('a holder that loses its processor keeps the lock', () => {
  // Two threads on one processor: the tick takes it from the holder, the other one runs, finds the lock taken and sleeps.
  const { lock, scheduler, endNs, at } = playCore([hold(10, 20 * MS, 'a'), hold(10, 50, 'b')], { cpus: 1 });
  expect(scheduler.timesOf(0).contextSwitches).toBeGreaterThan(0);
  expect(lock('lock').contended).toBe(1);
  expect(lock('lock').holdNs).toBeLessThanOrEqual(endNs);
  expect(at('b has it')).toBeGreaterThanOrEqual(20 * MS + 10);
});
