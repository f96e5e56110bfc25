import { expect, test } from 'vitest';
import { playCore, type Step } from './core.ts';

const MS = 1_000_000;
const writer = (before: number, held: number, name: string): Step[] => [
  ['user', before],
  ['write'],
  ['note', `${name} writes`],
  ['kernel', held],
  ['unwrite'],
  ['note', `${name} done`],
];
const reader = (before: number, held: number, name: string): Step[] => [
  ['user', before],
  ['read'],
  ['note', `${name} reads`],
  ['kernel', held],
  ['unread'],
  ['note', `${name} done`],
];

test('readers share, and keep a writer out', () => {
  const { at } = playCore([reader(10, 1000, 'a'), reader(20, 1000, 'b'), writer(50, 100, 'w')], { cpus: 3 });
  expect(at('a reads')).toBe(10);
  expect(at('b reads')).toBe(20);
  expect(at('w writes')).toBeGreaterThanOrEqual(1020);
});

test('a writer that spins takes it from a running writer at once, without sleeping (optimistic spinning)', () => {
  const { at, scheduler } = playCore([writer(10, 2000, 'a'), writer(100, 50, 'b')], { cpus: 2 });
  expect(at('b writes')).toBe(2010);
  expect(scheduler.timesOf(1).sleeps).toBe(0);
});

test('spinners have it in the order of their queue (osq)', () => {
  const scripts = [0, 1, 2, 3].map((n) => writer(10 + n, 500, `w${n}`));
  const { notes } = playCore(scripts, { cpus: 4 });
  expect(notes.filter(({ note }) => note.endsWith('writes')).map(({ thread }) => thread)).toEqual([0, 1, 2, 3]);
});

test('a reader sleeps where a writer has it, and readers are woken together', () => {
  const { at, scheduler } = playCore([writer(10, 5000, 'w'), reader(100, 50, 'a'), reader(200, 50, 'b')], {
    cpus: 3,
    costs: { wakeLatencyNs: 700 },
  });
  expect([scheduler.timesOf(1).sleeps, scheduler.timesOf(2).sleeps]).toEqual([1, 1]);
  expect(at('a reads')).toBe(5010 + 700);
  expect(at('b reads')).toBe(5010 + 700);
});

test('who spins for readers gives up after a while, and sleeps', () => {
  // rwsem_rspin_threshold(): 10 us and half a microsecond for each reader.
  const { scheduler, at } = playCore([reader(10, 100_000, 'a'), writer(20, 50, 'w')], { cpus: 2 });
  expect(scheduler.timesOf(1).sleeps).toBe(1);
  expect(scheduler.timesOf(1).onProcessorNs).toBe(20 + 10_500 + 50);
  expect(at('w writes')).toBe(100_010);
});

test('who has slept for 4 ms gets it next, whoever spins (handoff)', () => {
  // A reader sleeps; writers come one after the other, always one that spins.
  const writers = Array.from({ length: 7 }, (_, n) => writer(n === 0 ? 10 : n * MS - 1000, MS, `w${n}`));
  const { at } = playCore([...writers, reader(100, 50, 'r')], { cpus: 9 });
  expect(at('r reads')).toBeGreaterThanOrEqual(4 * MS);
  expect(at('r reads')).toBeLessThan(at('w6 done'));
});

test('every change of the count takes its line, readers’ too', () => {
  const read = (n: number) => reader(10 + n, 10_000, `r${n}`);
  const alone = playCore([read(0)], { cpus: 8, topology: 'graviton3' });
  const many = playCore([0, 1, 2, 3, 4, 5, 6, 7].map(read), { cpus: 8, topology: 'graviton3' });
  expect(alone.at('r0 done')).toBe(10_010);
  expect(many.at('r7 done')).toBeGreaterThan(10_017 + 46);
});
