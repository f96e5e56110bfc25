import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demandOf, memoryFor, processesIn, quantile } from '../../../bench/study/plan/demand.ts';
import { plan } from '../../../bench/study/plan/plan.ts';
import { planText } from '../../../bench/study/plan/text.ts';
import { runLockstep } from '../../../bench/run/session.ts';
import { bumpOptions, eventsOf } from '../../helpers/bump-run.ts';

const MIB = 1 << 20;

describe('plan', () => {
  test('quantiles of the normal distribution', () => {
    expect(quantile(0.5)).toBeCloseTo(0, 6);
    expect(quantile(0.975)).toBeCloseTo(1.959964, 4);
    expect(quantile(0.9999)).toBeCloseTo(3.719, 3);
  });

  test('more processes need more; what fits, fits, and one more does not', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.constantFrom(1e-6, 1e-3, 0.1),
        (mean, deviation, above, memory, risk) => {
          const demand = { meanBytes: mean, deviationBytes: deviation, peakBytes: mean + above };
          const fits = processesIn(demand, memory, risk);
          if (fits > 0) expect(memoryFor(demand, fits, risk)).toBeLessThanOrEqual(memory);
          expect(memoryFor(demand, fits + 1, risk)).toBeGreaterThan(memory);
          expect(memoryFor(demand, 7, risk)).toBeLessThanOrEqual(memoryFor(demand, 8, risk));
          expect(memoryFor(demand, 5, risk)).toBeLessThanOrEqual(5 * demand.peakBytes);
        },
      ),
    );
  });

  test('the demand is weighted by how long a level lasts', async () => {
    const run = await runLockstep(bumpOptions(['m 0 1 10']));
    const at = (event: number, rssBytes: number) => ({ ...run.samples[0]!, event, rssBytes });
    const demand = demandOf({ ...run, samples: [at(0, 10), at(90, 10), at(90, 50), at(100, 50)] });
    expect(demand.meanBytes).toBeCloseTo(14);
    expect(demand.deviationBytes).toBeCloseTo(12);
  });

  test('what is beside the heap counts for every process', async () => {
    const events = eventsOf(['m 0 1 50000000', '= high', 'f 0 1', '= low', 'm 0 2 10', 'm 0 3 10']);
    const task = {
      events,
      workload: 'test',
      parameters: {},
      cpus: 1,
      mode: 'lockstep',
      pace: 'asap',
      seed: 0,
    } as const;
    const options = { task, allocators: ['glibc', 'jemalloc'], memory: 1024 * MIB, processes: 4, workers: 1 };
    const bare = await plan(options);
    const laden = await plan({ ...options, extra: 10 * MIB });
    expect(laden.rows[0]!.peakBytes - bare.rows[0]!.peakBytes).toBe(10 * MIB);
    expect(laden.rows[0]!.needsAtPeakBytes! - bare.rows[0]!.needsAtPeakBytes!).toBe(40 * MIB);
    expect(laden.rows[0]!.fitsAtPeak).toBeLessThan(bare.rows[0]!.fitsAtPeak);
    expect(planText(laden)).toMatch(/glibc@2\.36 .* 4 at peak|4 at peak need/);
    await expect(plan({ ...options, risk: 1 })).rejects.toThrow(/probability below 0\.5/);
  });
});
