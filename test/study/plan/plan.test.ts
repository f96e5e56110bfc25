import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runLockstep } from '../../../bench/run/modes/lockstep.ts';
import { demandOf, memoryFor, processesIn } from '../../../bench/study/plan/demand.ts';
import { plan } from '../../../bench/study/plan/plan.ts';
import { planText } from '../../../bench/study/plan/text.ts';
import { normalQuantile } from '../../../sim/metrics/normal.ts';
import { bumpOptions, eventsOf } from '../../helpers/bump-run.ts';

const MIB = 1 << 20;

const taskOf = (lines: readonly string[]) =>
  ({
    events: eventsOf(lines),
    workload: 'test',
    parameters: {},
    cpus: 1,
    mode: 'lockstep',
    pace: 'asap',
    seed: 0,
  }) as const;

describe('plan', () => {
  test('where nothing is ever resident no number of processes is named', async () => {
    const result = await plan({
      allocators: ['glibc'],
      memory: 1024 * MIB,
      workers: 1,
      task: taskOf([]),
      processes: 3,
    });
    expect(result.rows[0]).toMatchObject({ fitsIndependent: null, fitsAtPeak: null, needsIndependentBytes: 0 });
    expect(planText(result)).toContain('fit        as many as one likes: nothing is ever resident');
  });

  test('quantiles of the normal distribution', () => {
    expect(normalQuantile(0.5)).toBeCloseTo(0, 6);
    expect(normalQuantile(0.975)).toBeCloseTo(1.959964, 4);
    expect(normalQuantile(0.9999)).toBeCloseTo(3.719, 3);
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

  test('a recording says what its process had beside the heap, unless that was given', async () => {
    const kernel =
      '! VmRSS 9000000 RssAnon 5000000 RssFile 4000000 blocks 4000000 anonymous 212992 stack 16384 data 49152 files 4000000 recorder 0';
    const task = taskOf(['m 0 1 4000000', '= exit', kernel, 'm 0 2 10']);
    const options = { task, allocators: ['glibc'], memory: 1024 * MIB, workers: 1 };
    const said = async (extra: number) => (await plan({ ...options, extra })).assumed.join(' ');
    expect(await said(0)).toMatch(
      /the heap alone counts: .* 272\.0 KiB of its own at 'exit', the only look, .* \(--extra 272K\), and 3\.8\d MiB of files/,
    );
    expect(await said(MIB)).not.toContain('--extra');
    const plain = taskOf(['m 0 1 4000000']);
    expect((await plan({ ...options, task: plain })).assumed.join(' ')).not.toContain('--extra');
  });

  test('what is beside the heap counts for every process', async () => {
    const task = taskOf(['m 0 1 50000000', '= high', 'f 0 1', '= low', 'm 0 2 10', 'm 0 3 10']);
    const options = { task, allocators: ['glibc', 'jemalloc'], memory: 1024 * MIB, processes: 4, workers: 1 };
    const bare = await plan(options);
    const laden = await plan({ ...options, extra: 10 * MIB });
    expect(laden.rows[0]!.peakBytes - bare.rows[0]!.peakBytes).toBe(10 * MIB);
    expect(laden.rows[0]!.needsAtPeakBytes! - bare.rows[0]!.needsAtPeakBytes!).toBe(40 * MIB);
    expect(laden.rows[0]!.fitsAtPeak!).toBeLessThan(bare.rows[0]!.fitsAtPeak!);
    expect(planText(laden)).toMatch(/glibc@2\.36\n(.*\n)*? {2}4 need/);
    expect(planText({ ...laden, processes: 1 })).toMatch(/\n {2}1 needs .*\n *it exceeds /);
    for (const line of planText(laden).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    await expect(plan({ ...options, risk: 1 })).rejects.toThrow(/probability below 0\.5/);
  });

  test.each([
    ['lockstep', 'asap'],
    ['virtual', 'recorded'],
  ] as const)('idle time counts at the level that stands through it: %s, %s', async (mode, pace) => {
    const often = Array.from({ length: 4000 }, (_, i) => [`m 0 ${i + 2} 24`, `f 0 ${i + 2}`]).flat();
    for (const [highNs, lowNs, busy] of [
      [1e8, 1e8, []],
      [1e8, 9e8, []],
      [9e8, 1e8, []],
      [1e8, 99e8, often], // thousands of events while it is high, two while it is low
    ] as const) {
      const events = eventsOf([
        'opt 0 M_MMAP_THRESHOLD 131072',
        ...Array.from({ length: 12 }, () => ['m 0 1 8000000', ...busy, `+ ${highNs}`, 'f 0 1', `+ ${lowNs}`]).flat(),
        'm 0 1 10',
      ]);
      const task = { events, workload: 'test', parameters: {}, cpus: 1, seed: 0, mode, pace } as const;
      const [row] = (await plan({ allocators: ['glibc'], memory: 1024 * MIB, workers: 1, task })).rows;
      const expected = highNs / (highNs + lowNs);
      expect(row!.meanBytes / row!.peakBytes).toBeGreaterThan(0.95 * expected - 0.01);
      expect(row!.meanBytes / row!.peakBytes).toBeLessThan(1.05 * expected + 0.03);
    }
  });

  test('pages come in while a block is written: what work makes resident stands from its end on', async () => {
    const rounds = Array.from({ length: 50 }, () => ['m 0 1 1000000', '+ 1000000', 'f 0 1', '+ 1000000']).flat();
    const meanOf = async (lines: string[], pace: 'asap' | 'recorded') => {
      const events = eventsOf(['opt 0 M_MMAP_THRESHOLD 131072', ...lines]);
      const task = { events, workload: 'test', parameters: {}, cpus: 1, seed: 0, mode: 'virtual', pace } as const;
      const [row] = (await plan({ allocators: ['glibc'], memory: 1024 * MIB, workers: 1, task })).rows;
      return { share: row!.meanBytes / row!.peakBytes, runNs: row!.virtualNs! };
    };
    const work = await meanOf(rounds, 'asap');
    expect(work.share).toBeGreaterThan(0.49);
    expect(work.share).toBeLessThan(0.51);
    // Of the 2 ms of a round it is resident for one, less the time that writing takes, half of which it is on its way.
    const workShare = work.runNs / 100e6;
    const { share } = await meanOf(rounds, 'recorded');
    expect(share).toBeLessThan(0.5 - workShare / 4);
    expect(share).toBeGreaterThan(0.5 - workShare / 2);
    expect((await meanOf(['m 0 1 1000000', '+ 1000000', 'f 0 1', '+ 99000000'], 'recorded')).share).toBeLessThan(0.015);
  });

  test('a mix stands between its kinds; what is shared counts once, and the reserve is kept', async () => {
    const kind = (size: number) =>
      ({
        events: eventsOf([`m 0 1 ${size}`, 'm 0 2 10', '= held', 'm 0 3 10']),
        workload: `${size}`,
        parameters: {},
        cpus: 1,
        mode: 'lockstep',
        pace: 'asap',
        seed: 0,
      }) as const;
    const options = { allocators: ['glibc'], memory: 1024 * MIB, processes: 10, workers: 1 };
    const mean = async (kinds: { tasks: ReturnType<typeof kind>[]; share: number }[]) =>
      (await plan({ ...options, kinds })).rows[0]!.meanBytes;
    const small = await mean([{ tasks: [kind(100_000)], share: 1 }]);
    const large = await mean([{ tasks: [kind(10_000_000)], share: 1 }]);
    const both = [
      { tasks: [kind(100_000)], share: 3 },
      { tasks: [kind(10_000_000)], share: 1 },
    ];
    expect(await mean(both)).toBeCloseTo((3 * small + large) / 4, 3);
    const bare = (await plan({ ...options, kinds: both })).rows[0]!;
    const laden = (await plan({ ...options, kinds: both, shared: 100 * MIB, reserve: 50 * MIB })).rows[0]!;
    expect(laden.needsAtPeakBytes! - bare.needsAtPeakBytes!).toBe(150 * MIB);
    expect(laden.fitsAtPeak!).toBe(Math.floor((874 * MIB) / bare.peakBytes));
    expect(bare.exceedingProbability).toBe(0);
  });
});
