import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { perfEvents, perfStatText } from '../../bench/report/text/perf-stat.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { parseTlb, TLB_PRESETS } from '../../sim/tlb/settings.ts';
import { createTlb, newTlbCounts } from '../../sim/tlb/tlb.ts';
import { createTranslationCache } from '../../sim/tlb/translation-cache.ts';
import { resolveWorkload } from '../../workloads/index.ts';

test('a set forgets the page that was used longest ago', () => {
  fc.assert(
    fc.property(
      fc.constantFrom([8, 8], [8, 2], [16, 4]),
      fc.array(
        fc.oneof(
          fc.nat(40),
          fc.nat(40).map((page) => -page - 1),
        ),
        { maxLength: 200 },
      ),
      ([entries, ways], steps) => {
        const cache = createTranslationCache({ entries: entries!, ways: ways! });
        const sets = Array.from({ length: entries! / ways! }, () => [] as number[]);
        for (const step of steps) {
          const page = step < 0 ? -step - 1 : step;
          const set = sets[page % sets.length]!;
          const at = set.indexOf(page);
          if (at >= 0) set.splice(at, 1);
          if (step < 0) {
            cache.drop(page, page);
            continue;
          }
          expect(cache.use(page)).toBe(at >= 0);
          set.unshift(page);
          set.length = Math.min(set.length, ways!);
        }
      },
    ),
  );
});

test('a huge page needs one entry, and small ones one each', () => {
  const small = newTlbCounts();
  const huge = newTlbCounts();
  for (const [counts, isHuge] of [
    [small, false],
    [huge, true],
  ] as const) {
    const tlb = createTlb(TLB_PRESETS['zen3']!, counts);
    for (let round = 0; round < 3; round++)
      for (let page = 0; page < 4096; page++) tlb.access(page, isHuge, 512, false, false);
  }
  expect(huge).toMatchObject({ loads: small.loads, loadL1Misses: 8, loadWalks: 8, walkRefs: 8 });
  // 4,096 pages do not fit in 2,048 entries, and come round in order.
  expect(small).toMatchObject({ loadL1Misses: 3 * 4096, loadWalks: 3 * 4096 });
});

test('a flush of few pages takes those, of many all', () => {
  const counts = newTlbCounts();
  const tlb = createTlb(TLB_PRESETS['zen3']!, counts);
  const walksOf = (page: number) => {
    const before = counts.loadWalks;
    tlb.access(page, false, 1, false, false);
    return counts.loadWalks - before;
  };
  for (const page of [1, 2, 100]) walksOf(page);
  tlb.flush(2, 33);
  expect([1, 2, 100].map(walksOf)).toEqual([0, 1, 0]);
  tlb.flush(2, 34);
  expect([1, 2, 100].map(walksOf)).toEqual([1, 1, 1]);
});

const counted = async (allocator: string, tlb: string, thp: 'never' | 'always' = 'never') => {
  const { events } = await resolveWorkload('stress:events=5000,seed=4');
  const settings = parseTlb(tlb);
  return runLockstep({
    events,
    workload: 'stress',
    cpus: 2,
    spec: parseAllocator(allocator, 2),
    tlb: settings,
    kernel: { thp },
  });
};

test.each(['glibc', 'jemalloc', 'zendmm+glibc'])('%s: counting changes nothing but the counts', async (allocator) => {
  const { events } = await resolveWorkload('stress:events=5000,seed=4');
  const plain = await runLockstep({ events, workload: 'stress', cpus: 2, spec: parseAllocator(allocator, 2) });
  const { tlb, ...rest } = await counted(allocator, 'zen3');
  const { engine: _host, ...expected } = plain;
  const { engine: _own, ...seen } = rest;
  expect(seen).toEqual(expected);
  expect(tlb!.counts.loads).toBeGreaterThan(0);
  const huge = await counted(allocator, 'zen3', 'always');
  expect(huge.tlb!.counts.loads).toBe(tlb!.counts.loads);
});

test('perf stat’s layout, by processor', async () => {
  const zen = await counted('glibc', 'zen3:reads=2');
  const events = perfEvents(zen.tlb!.settings, zen.tlb!.counts);
  expect(events.loads).toBe(zen.tlb!.counts.loadL1Misses + zen.tlb!.counts.storeL1Misses);
  expect(perfStatText(zen, zen.tlb!)).toMatch(
    /Performance counter stats for 'stress under glibc@2.36':\n\n +[\d,]+ {6}dTLB-loads\n +[\d,]+ {6}dTLB-load-misses +# +[\d.]+% of all dTLB cache accesses\n/,
  );
  const ice = await counted('glibc', 'icelake');
  expect(perfStatText(ice, ice.tlb!)).toMatch(/dTLB-store-misses/);
});

test.each([
  ['zen4', /expected zen3 or icelake/],
  ['zen3:l3=4', /expected KEY=NUMBER of l1, l1ways/],
  ['zen3:l1=x', /l1: found 'x', expected a whole number/],
  ['icelake:l1=48', /power of two of sets/],
  ['zen3:l1=0', /at least one entry/],
  ['zen3:step=0', /from 1/],
])('--tlb %s is refused', (text, message) => {
  expect(() => parseTlb(text)).toThrow(message);
});
