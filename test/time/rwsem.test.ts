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

// downgrade_write(): munmap() gives pages back as a reader.
test('a writer that goes on as a reader lets readers in, those that sleep too, and keeps writers out', () => {
  const unmaps: Step[] = [
    ['write'],
    ['kernel', 1000],
    ['downgrade'],
    ['kernel', 5000],
    ['unread'],
    ['note', 'unmapped'],
  ];
  const { at, lock } = playCore([unmaps, reader(100, 50, 'early'), reader(3000, 50, 'late'), writer(2000, 50, 'w')], {
    cpus: 4,
  });
  expect(at('early reads')).toBe(1000);
  expect(at('late reads')).toBe(3000);
  expect(at('w writes')).toBe(6000);
  expect(lock('mmap_lock').holdNs).toBe(1050);
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

test('a reader that sleeps first is woken with it, whoever spins', () => {
  const writers = [writer(10, MS, 'w0'), writer(MS - 1000, MS, 'w1')];
  const { at } = playCore([...writers, reader(100, 50, 'r')], { cpus: 3 });
  expect(at('r reads')).toBe(MS + 10);
  expect(at('w1 writes')).toBe(MS + 60);
});

/** Writer 0 sleeps behind a reader; then writers come one after the other, each while the one before has it. */
const passedWriter = (hz: number) => {
  const others = Array.from({ length: 18 }, (_, n) => writer(n === 0 ? 100_100 : n * MS, MS, `w${n + 1}`));
  const scripts = [writer(800, 50, 'w0'), reader(10, 100_000, 'r'), ...others];
  return playCore(scripts, { cpus: 20, hz, costs: { wakeLatencyNs: 700 } });
};

test('a writer that is woken has no right to it: who spins is faster', () => {
  const { at, scheduler } = passedWriter(250);
  expect(at('w1 writes')).toBe(100_800);
  expect(at('w2 writes')).toBe(1_100_800);
  expect(scheduler.timesOf(0).sleeps).toBe(5); // once, and again at each release of the first 4 ms
});

test.each([
  [1000, 4],
  [250, 4],
  [100, 10],
])(
  'after RWSEM_WAIT_TIMEOUT, with %i ticks a second %i ms, it asks for it, spins on the owner, and is next (handoff)',
  (hz, ms) => {
    const { at, notes } = passedWriter(hz);
    const before = notes.filter(({ note, atNs }) => note.endsWith('writes') && atNs < at('w0 writes')).at(-1)!;
    expect(at('w0 writes')).toBe(at(before.note.replace('writes', 'done')));
    expect(at('w0 writes')).toBeGreaterThan(ms * MS);
    expect(at('w0 writes')).toBeLessThan((ms + 2) * MS);
  },
);

test('nobody waits before it came, where a line is long on its way', () => {
  const scripts = [writer(10, 30, 'w'), reader(20, 10, 'a'), reader(25, 10, 'b'), writer(30, 10, 'x')];
  for (const topology of ['milan', 'graviton3', 'cascadelake']) {
    expect(playCore(scripts, { cpus: 64, topology }).unfinished).toBe(0); // checkVirtualTime
  }
});

test('every change of the count takes its line, readers’ too', () => {
  const read = (n: number) => reader(10 + n, 10_000, `r${n}`);
  const alone = playCore([read(0)], { cpus: 8, topology: 'graviton3' });
  const many = playCore([0, 1, 2, 3, 4, 5, 6, 7].map(read), { cpus: 8, topology: 'graviton3' });
  expect(alone.at('r0 done')).toBe(10_010);
  expect(many.at('r7 done')).toBeGreaterThan(10_017 + 46);
});
