import { describe, expect, test } from 'vitest';
import { buildMachinePageData, type MachineSample } from '../../bench/report/machine-page.ts';

const GIB = 2 ** 30;
const verdict = { headline: 'It climbs.', sentences: [] };

describe('the page of a machine', () => {
  test('shared memory is counted once: Cached holds it too', () => {
    const samples: MachineSample[] = [0, 1].map((i) => ({
      ns: i * 1e9,
      meminfo: { MemTotal: 8 * GIB, AnonPages: 2 * GIB, Shmem: GIB, Cached: 3 * GIB, Slab: GIB, MemAvailable: 4 * GIB },
    }));
    const { machine, runs } = buildMachinePageData({ title: 'm', verdict, samples });
    expect(runs).toEqual([]);
    expect(machine!.parts.map((p) => [p.name, p.bytes.at(-1)! / GIB])).toEqual([
      ['anonymous', 2],
      ['shared', 1],
      ['kernel', 1],
      ['files', 2],
    ]);
    expect(machine!.availableBytes).toEqual([4 * GIB, 4 * GIB]);
  });

  test('long runs are bounded, and keep their peaks', () => {
    const samples: MachineSample[] = Array.from({ length: 200_000 }, (_, i) => ({
      ns: i * 1e9,
      meminfo: { MemTotal: 64 * GIB, AnonPages: i === 123_456 ? 60 * GIB : GIB + i },
      processes: Object.fromEntries(Array.from({ length: 20 }, (_, p) => [`worker ${p}`, p * 1000 + i])),
    }));
    const data = buildMachinePageData({ title: 'm', verdict, samples });
    expect(Math.max(...data.machine!.parts[0]!.bytes)).toBe(60 * GIB);
    expect(data.machine!.processes.map((p) => p.name)[0]).toBe('worker 19');
    expect(data.machine!.processes).toHaveLength(12);
    expect(JSON.stringify(data).length).toBeLessThan(1_500_000);
  });

  test('no sample, no machine', () => {
    const { machine } = buildMachinePageData({ title: 'm', verdict, samples: [] });
    expect(machine!.ns).toEqual([]);
    expect(machine!.totalBytes).toBe(0);
  });
});
