import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RANGE_LIVE } from '../../sim/contract/allocator.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { runZend } from '../helpers/zend-run.ts';

// Programs over a few objects, with sizes that gather where the design changes its mind.
const BORDERS = [0, 8, 64, 65, 512, 528, 544, 3072, 3073, 4096, 8192, 61440, 262112, 262144, 2093056, 2093057, 2097152];
const size = fc.oneof(
  fc.constantFrom(...BORDERS).chain((b) => fc.integer({ min: Math.max(0, b - 17), max: b + 17 })),
  fc.integer({ min: 0, max: 6000 }),
  fc.integer({ min: 0, max: 5000000 }),
);
const object = fc.integer({ min: 1, max: 24 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('em' as const), object, size }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('er' as const), object, size }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ef' as const), object }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ec' as const), object, size }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ee' as const) }) },
);

/** The steps as trace lines that keep the rules: an object is allocated when it is dead, and freed when it lives. */
function lines(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): string[] {
  const live = new Set<number>();
  const result = ['eb 0'];
  for (const s of steps) {
    if (s.kind === 'ee') {
      result.push('ee 0', 'eb 0');
      live.clear();
    } else if (s.kind === 'ef') {
      if (live.delete(s.object)) result.push(`ef 0 ${s.object}`);
    } else if (s.kind === 'er') {
      result.push(`er 0 ${s.object} ${s.size}`);
      // Of a dead object it is a malloc, also of size 0; of a live one size 0 is a free.
      if (s.size > 0 || !live.has(s.object)) live.add(s.object);
      else live.delete(s.object);
    } else if (!live.has(s.object)) {
      result.push(s.kind === 'em' ? `em 0 ${s.object} ${s.size}` : `ec 0 ${s.object} 1 ${s.size}`);
      live.add(s.object);
    }
  }
  return result;
}

describe.each([
  'zendmm@8.2',
  'zendmm@8.2:debug=1',
  'zendmm@8.2:memory_limit=7M',
  'zendmm@5.6',
  'zendmm@5.6:mem_type=mmap_anon,seg_size=8192',
  'zendmm@5.6:debug=1,memory_limit=3M',
])('any program under %s', (allocator) => {
  it('keeps every invariant after every event, and tiles what it holds', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const program = lines(steps);
        const { run } = runZend(allocator, eventsOf(program), { check: 'events' });
        // The real 8.2 loses its main chunk where a collection finds it empty: it crashes then, or goes round for ever.
        if (run.abort) expect(run.abort.message).toMatch(/^(Segmentation fault|zend_mm_gc never ends: .*)$/);
        else checkTiles(run);
      }),
      { numRuns: 40 },
    );
  });
});

/** No two ranges overlap, live ranges are the live objects', and every mapped byte is in one. */
function checkTiles(run: ReturnType<typeof runZend>['run']): void {
  const { top, objects, machine } = run.assembled;
  const ranges: [start: number, end: number][] = [];
  const live = new Set<number>();
  top.walk((start, length, kind, handle) => {
    ranges.push([start, start + length]);
    if (kind === RANGE_LIVE) live.add(handle);
  });
  ranges.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < ranges.length; i++) expect(ranges[i]![0]).toBeGreaterThanOrEqual(ranges[i - 1]![1]);
  const covered = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  expect(covered).toBe(machine.kernel.mappedPages() * 4096);
  expect([...objects.handles].filter((h) => h !== 0).sort()).toEqual([...live].sort());
}
