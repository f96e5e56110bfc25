import { expect, test } from 'vitest';
import { type Goal, goals, markOf } from '../../bench/benchmark/goals.ts';
import type { ReplayRow } from '../../bench/benchmark/replay-rows.ts';
import { BENCH_TRACES, benchTrace } from '../../bench/benchmark/traces.ts';
import { median } from '../../bench/evidence/median.ts';
import { OP_EFREE, OP_EMALLOC, OP_FREE, OP_MALLOC, OP_MASK } from '../../sim/contract/event.ts';

test.each(BENCH_TRACES)('%s: the same events for the same length, all on the main thread', (name) => {
  const once = benchTrace(name, 300_000, false);
  const again = benchTrace(name, 300_000, false);
  expect(once.length).toBeGreaterThanOrEqual(300_000);
  expect(once.threadSlots).toBe(1);
  for (const column of ['head', 'slot', 'a', 'b'] as const) {
    expect(Buffer.compare(bytes(once[column]), bytes(again[column]))).toBe(0);
  }
  if (name === '250k live') expect(countOps(once, OP_MALLOC) - countOps(once, OP_FREE)).toBe(250_000);
});

test('the same program through the Zend memory manager', () => {
  const events = benchTrace('hit-dominated', 20_000, true);
  expect(events.hasRequestEvents).toBe(true);
  expect(countOps(events, OP_EMALLOC)).toBeGreaterThan(9_000);
  expect(countOps(events, OP_EFREE)).toBeGreaterThan(8_000);
});

test('a goal is missed, met, or more than met; some want little, some much', () => {
  const goal = (found: number, below: boolean): Goal => ({
    name: '',
    found,
    unit: '',
    must: 10,
    aim: below ? 5 : 20,
    below,
  });
  expect([9, 10, 20].map((found) => markOf(goal(found, false)))).toEqual(['missed', 'must', 'aim']);
  expect([11, 10, 5].map((found) => markOf(goal(found, true)))).toEqual(['missed', 'must', 'aim']);
});

test('goals take the worst trace; a model without a real one beside it has no ratio', () => {
  const row = (trace: ReplayRow['trace'], allocator: string, ratio: number | undefined): ReplayRow => ({
    trace,
    allocator,
    model: { none: 100, full: 90, first: 95 },
    real: ratio === undefined ? undefined : { none: 100 / ratio, full: 50 },
    ratio: ratio === undefined ? undefined : { none: ratio, full: 2 * ratio },
    residency: { full: 0.02, first: 0.04 },
    hostBytesPerLiveBlock: 32,
  });
  const loading = { textMegabytesPerSecond: 700, binaryNsPerEvent: 2, coldSeconds: 1, coldEvents: 1e6 };
  const list = goals(
    [row('mixed', 'jemalloc', 1.2), row('250k live', 'jemalloc', 0.9), row('mixed', 'zendmm', undefined)],
    [{ workload: 'rows:rounds=5', allocator: 'glibc', events: 100, lockstepNs: 50, virtualNs: 100, ratio: 2 }],
    loading,
  );
  expect(list.find((g) => g.name === 'jemalloc : real, not touching, worst trace')?.found).toBe(0.9);
  expect(list.find((g) => g.name === 'jemalloc, host bytes per live block')?.found).toBe(32);
  expect(list.some((g) => g.name.startsWith('zendmm : real'))).toBe(false);
  expect(list.find((g) => g.name === 'glibc, virtual : lockstep, rows')).toMatchObject({ found: 2, must: 2.5 });
});

test('the median is a value that was measured', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 3, Number.NaN]);
});

const bytes = (column: Int32Array | Uint32Array) => Buffer.from(column.buffer, column.byteOffset, column.byteLength);

function countOps({ head, length }: { head: Int32Array; length: number }, op: number): number {
  let count = 0;
  for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === op) count++;
  return count;
}
