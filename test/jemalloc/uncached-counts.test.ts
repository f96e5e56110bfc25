import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import { OP_BIN_SCAN_STEPS, OP_BITMAP_WORDS, OP_CACHE_FLUSHES } from '../../sim/contract/operations.ts';
import { eventsOf } from '../helpers/bump-run.ts';

/** 40 blocks, four to a slab, then one of each slab is freed: none becomes empty. */
const blocks = Array.from({ length: 40 }, (_, i) => i);
const events = eventsOf([
  ...blocks.map((i) => `m 0 ${i} 1024`),
  ...blocks.filter((i) => i % 4 === 0).map((i) => `f 0 ${i}`),
]);

function counts(allocator: string, rows: number): number[] {
  const spec = parseAllocator(allocator, 1);
  const run = new LockstepRun({ events, workload: 'test', spec, cpus: 1, mode: 'lockstep' });
  run.advance(rows);
  const { operations } = run.assembled.machine;
  return [OP_BITMAP_WORDS, OP_BIN_SCAN_STEPS, OP_CACHE_FLUSHES].map((op) => operations[op]!);
}

test('past the caches each call looks at a slab: its bitmap, or whose block it is', () => {
  const [words, looks, flushes] = counts('jemalloc:tcache=false', 40);
  expect({ words, flushes }).toEqual({ words: 40, flushes: 0 });
  expect(counts('jemalloc:tcache=false', 50)).toEqual([40, looks! + 10, 0]);
  const cached = counts('jemalloc', 40);
  expect(cached[0]).toBeLessThan(40);
  expect(counts('jemalloc', 50)).toEqual(cached);
});
