import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { METRICS } from '../../../bench/metrics/index.ts';
import { runLockstep } from '../../../bench/run/modes/lockstep.ts';
import { allocatorAt, combinations, parseGridAxis } from '../../../bench/study/sweep/grid.ts';
import { dominates, paretoFront } from '../../../bench/study/sweep/pareto.ts';
import { sweepPoints, sweptRun } from '../../../bench/study/sweep/sweep.ts';
import { sweepCsv, sweepText } from '../../../bench/study/sweep/text.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

describe('sweep', () => {
  test('axes and their product', () => {
    expect(parseGridAxis('arena_max=1,2')).toEqual({ option: 'arena_max', values: ['1', '2'] });
    expect(() => parseGridAxis('arena_max')).toThrow(/--grid: found 'arena_max', expected option=value/);
    expect(combinations([])).toEqual([{}]);
    expect(
      combinations([
        { option: 'a', values: ['1', '2'] },
        { option: 'b', values: ['x', 'y'] },
      ]),
    ).toEqual([
      { a: '1', b: 'x' },
      { a: '1', b: 'y' },
      { a: '2', b: 'x' },
      { a: '2', b: 'y' },
    ]);
  });

  test('a point goes to the layer that has the option, over what was given', () => {
    expect(allocatorAt('glibc@2.36:arena_max=9,top_pad=0', { arena_max: '2' }, 4)).toBe(
      'glibc@2.36:top_pad=0,arena_max=2',
    );
    expect(allocatorAt('zendmm@8.2', { arena_max: '2' }, 4)).toMatch(/^zendmm@8\.2\+glibc@[\d.]+:arena_max=2$/);
    expect(() => allocatorAt('glibc', { arena_maxx: '2' }, 4)).toThrow(/did you mean 'arena_max'/);
  });

  test('the front: nobody in it is beaten, everybody outside is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), { minLength: 1 }),
        (points) => {
          const front = new Set(paretoFront(points));
          expect(front.size).toBeGreaterThan(0);
          for (const [i, point] of points.entries()) {
            expect(points.some((other) => dominates(other, point))).toBe(!front.has(i));
          }
        },
      ),
    );
  });

  test('points: seeds together, best first, failures last and never in front', async () => {
    const base = await runLockstep(bumpOptions(['m 0 1 1000', 'f 0 1']));
    const at = (allocator: string, seed: number, rssPeakBytes: number, failedAllocations = 0) => ({
      ...base,
      run: { ...base.run, allocator, seed },
      summary: { ...base.summary, rssPeakBytes, failedAllocations },
    });
    const metrics = METRICS.filter((m) => m.name === 'rssPeakBytes' || m.name === 'faults');
    const runs = [at('b', 0, 200), at('a', 0, 100), at('a', 1, 120), at('b', 1, 220), at('c', 0, 1, 1), at('c', 1, 1)];
    const points = sweepPoints(
      runs.map((run) => sweptRun(run, metrics)),
      metrics,
    );
    expect(points.map((p) => p.allocator)).toEqual(['a', 'b', 'c']);
    expect(points[0]!.figures['rssPeakBytes']).toMatchObject({ median: 110, min: 100, max: 120 });
    expect(points.map((p) => p.front)).toEqual([true, false, false]);
    const result = {
      schema: 'allocsim-sweep-1' as const,
      workload: 'test',
      partial: false,
      mode: 'lockstep' as const,
      moment: null,
      seeds: [0, 1],
      metrics: metrics.map((m) => m.name),
      points,
    };
    expect(sweepText(result)).toMatch(/\* {2}a .*110 B \(100 B to 120 B\)/);
    const alike = [at('a', 0, 1_000_000), at('a', 1, 1_000_001)].map((run) => sweptRun(run, metrics));
    expect(sweepText({ ...result, points: sweepPoints(alike, metrics) })).not.toContain('KiB (');
    expect(sweepCsv(result).split('\n')[1]).toBe(`a,1,0,true,false,100,${base.summary.faults}`);
  });
});
