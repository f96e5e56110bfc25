import { expect, test } from 'vitest';
import { COMES_AWAKE, COMES_NEW, createCfs, createEevdf, type FairClass } from '../../sim/time/fair.ts';

const MS = 1_000_000;
const NOBODY = -1;
const TICK_NS = 4 * MS;

/** One processor that runs its threads tick by tick; returns how long each ran, in the order in which they had the processor. */
function runTicks(fair: FairClass, threads: number, ticks: number, tickNs: number): { thread: number; ns: number }[] {
  const mayRun = new Uint8Array(threads).fill(1);
  const stretches: { thread: number; ns: number }[] = [];
  let running = fair.pick(0, mayRun);
  stretches.push({ thread: running, ns: 0 });
  for (let i = 0; i < ticks; i++) {
    fair.ran(0, running, tickNs);
    stretches.at(-1)!.ns += tickNs;
    if (fair.queued[0] === 0 || !fair.tickPreempts(0, running)) continue;
    fair.putBack(0, running);
    const next = fair.pick(0, mayRun);
    if (next !== running) stretches.push({ thread: next, ns: 0 });
    running = next;
  }
  return stretches;
}

const totals = (stretches: readonly { thread: number; ns: number }[], threads: number): number[] =>
  Array.from({ length: threads }, (_, t) => stretches.reduce((sum, s) => sum + (s.thread === t ? s.ns : 0), 0));

// Documentation/scheduler/sched-design-CFS.rst, sched-eevdf.rst: threads of one weight get the same share.
test.each([
  ['CFS', (n: number) => createCfs(n, 1)],
  ['EEVDF', (n: number) => createEevdf(n, 1, TICK_NS)],
])('%s gives each thread its share', (_, create) => {
  for (const threads of [2, 3, 5, 12]) {
    const fair = create(threads);
    for (let t = 0; t < threads; t++) fair.enqueue(0, t, NOBODY, COMES_NEW);
    const ticks = 400 * threads;
    const ran = totals(runTicks(fair, threads, ticks, 1 * MS), threads);
    for (const ns of ran) expect(Math.abs(ns - 400 * MS)).toBeLessThan(15 * MS);
  }
});

// sched_slice(): the latency of 6 ms is divided among up to eight threads; more get 0.75 ms each, at least (one processor).
test('CFS: how long a slice is', () => {
  const slices = (threads: number, tickNs: number): number[] => {
    const fair = createCfs(threads, 1);
    for (let t = 0; t < threads; t++) fair.enqueue(0, t, NOBODY, COMES_NEW);
    return runTicks(fair, threads, 2000, tickNs)
      .slice(5, -1)
      .map(({ ns }) => ns);
  };
  const tick = 0.05 * MS;
  for (const ns of slices(2, tick)) expect(ns / MS).toBeCloseTo(3, 0);
  for (const ns of slices(6, tick)) expect(ns / MS).toBeCloseTo(1, 0);
  for (const ns of slices(12, tick)) expect(ns / MS).toBeGreaterThanOrEqual(0.75);
  // At 250 ticks a second it can only end at one.
  for (const ns of slices(2, 4 * MS)) expect(ns % (4 * MS)).toBe(0);
});

// sysctl_sched_base_slice, 0.70 ms x (1 + ilog2(min(processors, 8))): 1.4 ms with two, 2.8 with eight or more.
test('EEVDF: a thread keeps the processor for a base slice', () => {
  for (const [cpus, sliceMs] of [
    [1, 0.7],
    [2, 1.4],
    [8, 2.8],
    [64, 2.8],
  ] as const) {
    const fair = createEevdf(2, cpus, TICK_NS);
    fair.enqueue(0, 0, NOBODY, COMES_NEW);
    fair.enqueue(0, 1, NOBODY, COMES_NEW);
    const stretches = runTicks(fair, 2, 2000, 0.05 * MS).slice(4, -1);
    const mean = stretches.reduce((sum, s) => sum + s.ns, 0) / stretches.length;
    expect(mean / MS).toBeGreaterThan(sliceMs * 0.95);
    expect(mean / MS).toBeLessThan(sliceMs * 1.15);
  }
});

test('CFS: who has slept preempts who has run for long, by the wake-up granularity, and no more than half a latency ahead', () => {
  const fair = createCfs(2, 1);
  const mayRun = Uint8Array.of(1, 1);
  fair.enqueue(0, 0, NOBODY, COMES_AWAKE);
  fair.enqueue(0, 1, NOBODY, COMES_AWAKE);
  const first = fair.pick(0, mayRun);
  fair.ran(0, first, 0.5 * MS);
  fair.sleeps(0, first);
  const other = fair.pick(0, mayRun);
  expect(other).not.toBe(first);
  fair.ran(0, other, 1 * MS);
  fair.enqueue(0, first, other, COMES_AWAKE);
  expect(fair.wakePreempts(0, other, first)).toBe(false); // half a millisecond behind
  fair.pick(0, mayRun);
  fair.sleeps(0, first);
  fair.ran(0, other, 100 * MS);
  fair.enqueue(0, first, other, COMES_AWAKE);
  expect(fair.wakePreempts(0, other, first)).toBe(true);
  // However long it slept, it has not more than half a latency of credit: then the other one is as good.
  fair.putBack(0, other);
  fair.pick(0, mayRun);
  fair.ran(0, first, 3.1 * MS);
  expect(fair.tickPreempts(0, first)).toBe(true);
});

test('CFS: what a thread ran elsewhere is no debt where it wakes (migrate_task_rq_fair)', () => {
  const mayRun = Uint8Array.of(1, 1);
  for (const ranBefore of [10 * MS, 100 * MS]) {
    const fair = createCfs(2, 2);
    for (const t of [0, 1]) {
      fair.enqueue(t, t, NOBODY, COMES_NEW);
      fair.pick(t, mayRun);
    }
    fair.ran(0, 0, ranBefore);
    fair.sleeps(0, 0);
    fair.ran(1, 1, 10 * MS);
    fair.enqueue(1, 0, 1, COMES_AWAKE);
    fair.ran(1, 1, 2.1 * MS); // beyond the wake-up granularity
    expect(fair.wakePreempts(1, 1, 0)).toBe(true);
  }
});

test('CFS: a new thread begins a slice behind, as long as its maker and it would have (START_DEBIT)', () => {
  const fair = createCfs(2, 1);
  fair.enqueue(0, 0, NOBODY, COMES_NEW);
  fair.pick(0, Uint8Array.of(1, 1));
  fair.ran(0, 0, 1 * MS);
  fair.forked(0, 0, 1);
  fair.enqueue(0, 1, 0, COMES_NEW);
  fair.ran(0, 0, 4 * MS); // 3 ms of them are the debit, 1 ms is the wake-up granularity
  expect(fair.wakePreempts(0, 0, 1)).toBe(false);
  fair.ran(0, 0, 0.1 * MS);
  expect(fair.wakePreempts(0, 0, 1)).toBe(true);
});

test('EEVDF: who had too much stays queued where it slept until it has paid (DELAY_DEQUEUE)', () => {
  const fair = createEevdf(2, 2, TICK_NS);
  const mayRun = Uint8Array.of(1, 1);
  fair.enqueue(0, 0, NOBODY, COMES_NEW);
  fair.enqueue(0, 1, NOBODY, COMES_NEW);
  const first = fair.pick(0, mayRun);
  const other = 1 - first;
  fair.ran(0, first, 1 * MS);
  fair.sleeps(0, first);
  expect(fair.isDelayed(first, 0, NOBODY)).toBe(true);
  expect(fair.isDelayed(first, 1, NOBODY)).toBe(false);
  fair.pick(0, mayRun);
  expect(fair.isDelayed(first, 0, other)).toBe(true);
  fair.ran(0, other, 1.1 * MS);
  expect(fair.isDelayed(first, 0, other)).toBe(false); // it has paid
  fair.sleeps(0, other);
  expect(fair.isDelayed(other, 0, NOBODY)).toBe(false); // nobody else is there
});

test('EEVDF: a woken thread waits until the running one has had its slice (RUN_TO_PARITY)', () => {
  const fair = createEevdf(2, 1, TICK_NS);
  const mayRun = Uint8Array.of(1, 1);
  fair.enqueue(0, 0, NOBODY, COMES_NEW);
  fair.enqueue(0, 1, NOBODY, COMES_NEW);
  const first = fair.pick(0, mayRun);
  const other = 1 - first;
  fair.pick(0, mayRun);
  fair.sleeps(0, other);
  fair.ran(0, first, 0.1 * MS);
  fair.enqueue(0, other, first, COMES_AWAKE);
  expect(fair.wakePreempts(0, first, other)).toBe(false);
  fair.ran(0, first, 5 * MS);
  expect(fair.wakePreempts(0, first, other)).toBe(true);
});

test('who only looks runs when nobody else is there', () => {
  for (const fair of [createCfs(3, 1), createEevdf(3, 1, TICK_NS)]) {
    for (let t = 0; t < 3; t++) fair.enqueue(0, t, NOBODY, COMES_NEW);
    const mayRun = Uint8Array.of(0, 0, 1);
    expect(fair.pick(0, mayRun)).toBe(2);
    expect(fair.pick(0, mayRun)).toBeLessThan(2);
    expect(fair.queued[0]).toBe(1);
  }
});
