import { describe, expect, test } from 'vitest';
import { formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { metricNamed } from '../../../bench/metrics/index.ts';
import { LockstepRun } from '../../../bench/run/modes/lockstep.ts';
import type { RunResult } from '../../../bench/run/result.ts';
import { withOption } from '../../../bench/study/explain/settings/setting.ts';
import { type Bound, boundsFor, parseBound } from '../../../bench/study/tune/bounds.ts';
import { candidateValues, DEBUGGING } from '../../../bench/study/tune/candidates.ts';
import { addsTo, dimensionsOf, search } from '../../../bench/study/tune/search.ts';
import { tuneText } from '../../../bench/study/tune/text.ts';
import { tune } from '../../../bench/study/tune/tune.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

/** What is freed below a small block stays, unless it had a mapping of its own. */
const events = eventsOf([
  'm 0 1 20000000',
  'f 0 1',
  ...Array.from({ length: 20 }, (_, i) => [`m 0 ${i + 2} 900000`, `m 0 ${i + 100} 24`]).flat(),
  ...Array.from({ length: 20 }, (_, i) => `f 0 ${i + 2}`),
]);
const task = { events, workload: 'test', parameters: {}, cpus: 1, mode: 'lockstep', pace: 'asap', seed: 0 } as const;
const options = { task, allocator: 'glibc@2.36', objective: 'rssBytes', workers: 1 };

describe('tune', () => {
  test('values are in range and other than the default', () => {
    for (const name of ['glibc', 'jemalloc', 'zendmm']) {
      const spec = parseAllocator(name, 4);
      for (const option of spec.model.options) {
        const values = candidateValues(option, { version: spec.version, cpus: 4 });
        expect(values).not.toContain(spec.options[option.name]);
        expect(new Set(values).size).toBe(values.length);
        for (const value of values) {
          expect(() => parseAllocator(`${name}:${option.name}=${value}`, 4)).not.toThrow();
        }
      }
    }
  });

  test('what is tried is what the version has', () => {
    const tried = (name: string) => dimensionsOf(parseAllocator(name, 2), 2, undefined).map((d) => d.option);
    expect(tried('zendmm@8.2')).toContain('USE_ZEND_ALLOC_HUGE_PAGES');
    expect(tried('zendmm@8.2')).not.toContain('seg_size');
    expect(tried('zendmm@5.6')).toContain('seg_size');
    expect(tried('glibc@2.31')).not.toContain('hugetlb');
    for (const name of ['zendmm@8.2', 'zendmm@7.1', 'zendmm@5.6', 'glibc@2.31', 'jemalloc']) {
      for (const { option, values } of dimensionsOf(parseAllocator(name, 2), 2, undefined)) {
        const spec = withOption(parseAllocator(name, 2), option, values[0]!);
        const run = () => new LockstepRun({ events, spec, workload: 'test', cpus: 2, seed: 0 });
        expect(run, `${name} ${option}`).not.toThrow();
      }
    }
  });

  test('what explain tries by several options at once is tried first, where all of them are', async () => {
    const tried = async (allocator: string, names?: string[]) =>
      (await tune({ ...options, allocator, budget: 6, ...(names && { options: names }) })).points.map(
        (p) => p.allocator,
      );
    const decay = 'jemalloc@5.3.0:background_thread=true,dirty_decay_ms=1000,muzzy_decay_ms=0';
    expect(await tried('jemalloc')).toContain(decay);
    expect(await tried('jemalloc', ['dirty_decay_ms', 'muzzy_decay_ms'])).not.toContain(decay);
    const high = 'glibc@2.36:mmap_threshold=33554432,trim_threshold=67108864';
    expect(await tried('glibc@2.36', ['mmap_threshold', 'trim_threshold'])).toContain(high);
  });

  test('what other seeds do not confirm is passed over, with all that adds to it, and marked', async () => {
    const load = async () => ({ ...task, events: eventsOf(['m 0 1 8']) });
    const result = await tune({ ...options, options: ['mmap_threshold', 'top_pad', 'tcache_count'], load });
    expect(result.best).toEqual(result.from);
    expect(result.refuted.length).toBeGreaterThan(1);
    const specs = result.refuted.map((name) => parseAllocator(name, 1));
    const base = parseAllocator(options.allocator, 1);
    for (const [i, spec] of specs.entries()) {
      for (const before of specs.slice(0, i)) expect(addsTo(spec, before, base)).toBe(false);
    }
    const text = tuneText(result);
    expect(text).toContain('nothing to gain within the bounds that other seeds confirm');
    expect(text).toMatch(/^\?[A-Z] /m);
    expect(text.replace(/\s+/g, ' ')).toContain('for more settings, or is better with this seed alone, or alike');
    const unexplained = tuneText({ ...result, refuted: [] });
    expect(unexplained).toMatch(/^\?[A-Z] /m);
    expect(unexplained.replace(/\s+/g, ' ')).toContain('it brings less than 1.0 % for more settings. But');
  });

  test('nothing to gain: says so, in how many runs, and what lies beyond the bounds', async () => {
    const events = eventsOf(Array.from({ length: 500 }, (_, i) => `m 0 ${i} 5000`));
    const result = await tune({ ...options, task: { ...task, events }, options: ['top_pad', 'mxfast'] });
    expect(result.best).toEqual(result.from);
    const text = tuneText(result).replace(/\s+/g, ' ');
    expect(text).toMatch(/: nothing to gain within the bounds, in \d+ runs /);
    // The rest have what it begins with: of figures that read the same nothing is said.
    expect(text).not.toContain('Of the rest');
    const beyond = result.points.map((p, i) => ({
      ...p,
      withinBounds: i === 0,
      figures: { ...p.figures, rssBytes: result.best.value - i },
    }));
    expect(tuneText({ ...result, points: beyond })).not.toContain('Beyond');
    const worse = tuneText({ ...result, from: { ...result.from, value: 1 } }).replace(/\s+/g, ' ');
    expect(worse).toMatch(/Of the rest within the bounds the best has \S+ [KM]iB: glibc@2\.36:/);
  });

  test('a setting that changes nothing is not the best of the rest', async () => {
    const alone = { ...options, objective: 'rssPeakBytes', options: ['mmap_threshold', 'trim_threshold'] };
    const result = await tune({ ...alone, task: { ...task, events: eventsOf(['m 0 1 100']) } });
    expect(result.inert).toEqual(['mmap_threshold', 'trim_threshold']);
    expect(tuneText(result)).not.toContain('Of the rest');
  });

  test('finds a threshold that lets mapped blocks go, and stops when nothing is better', async () => {
    const result = await tune({ ...options, options: ['mmap_threshold', 'top_pad'] });
    expect(result.best.value).toBeLessThan(result.from.value / 10);
    expect(result.settled).toBe(true);
    expect(result.steps.map((s) => s.value)).toEqual([...result.steps.map((s) => s.value)].sort((x, y) => y - x));
    expect(tuneText(result).replace(/\s+/g, ' ')).toContain(
      'no single option, and no two that work on the same thing, make it better',
    );
    expect(await tune({ ...options, options: ['mmap_threshold', 'top_pad'] })).toEqual(result);
  });

  test('finds two settings of which neither helps alone', async () => {
    // The first ones freed lie at the heap's end, and go to the thread's cache; the others, to a fastbin: either keeps the heap.
    const blocks = Array.from({ length: 20_000 }, (_, i) => i + 1);
    const small = eventsOf([...blocks.map((i) => `m 0 ${i} 100`), ...blocks.reverse().map((i) => `f 0 ${i}`)]);
    const result = await tune({
      ...options,
      task: { ...task, events: small },
      options: ['arena_max', 'mxfast', 'tcache_count'],
      keep: ['faults', 'syscalls'].map((metric) => ({ metric, percent: null, slack: 0 })),
    });
    expect(result.best.allocator).toBe('glibc@2.36:mxfast=0,tcache_count=0');
    expect(result.best.value).toBeLessThan(result.from.value / 10);
    for (const { allocator, figures } of result.points.filter(({ allocator: a }) => !a.includes(','))) {
      expect(figures['rssBytes'], allocator).toBeGreaterThan(result.from.value * 0.9);
    }
    expect(result.inert).toEqual(['arena_max']);
  });

  /** The best of a search among mxfast=0 and tcache_count of 0 or 1, where a setting leaves what `values` say, else 100. */
  async function bestAmong(values: Readonly<Record<string, number>>): Promise<string> {
    const found = await search({
      start: parseAllocator('glibc@2.36', 1),
      cpus: 1,
      objective: metricNamed('rssBytes'),
      bounds: [],
      dimensions: [
        { option: 'mxfast', values: [0] },
        { option: 'tcache_count', values: [0, 1] },
      ],
      together: () => [],
      budget: 100,
      mode: 'lockstep',
      measure: async (specs) =>
        specs.map((spec) => {
          const value = values[formatAllocator(spec)] ?? 100;
          return { spec, value, result: { abort: null, summary: { rssBytes: value } } as unknown as RunResult };
        }),
    });
    return formatAllocator(found.best.spec);
  }

  test('what is found is as good as any single setting, whatever comes before it in the order of the options', async () => {
    const best = await bestAmong({
      'glibc@2.36:mxfast=0': 95,
      'glibc@2.36:tcache_count=0': 60,
      'glibc@2.36:mxfast=0,tcache_count=0': 97,
      'glibc@2.36:mxfast=0,tcache_count=1': 90,
    });
    expect(best).toBe('glibc@2.36:tcache_count=0');
  });

  test('a setting that is left is worth a hundredth for itself, or the beginning is the answer', async () => {
    const alone = { 'glibc@2.36:mxfast=0': 99.4 };
    expect(await bestAmong({ ...alone, 'glibc@2.36:mxfast=0,tcache_count=0': 98.7 })).toBe(
      'glibc@2.36:mxfast=0,tcache_count=0',
    );
    expect(await bestAmong({ ...alone, 'glibc@2.36:mxfast=0,tcache_count=0': 99.2 })).toBe('glibc@2.36');
  });

  test('threads that come to share a heap are held against other orders of their calls', async () => {
    const grow = (t: number) =>
      Array.from({ length: 60 }, (_, i) =>
        [`m ${t} ${t * 1000 + i} 3000`, '+ 20000', `f ${t} ${t * 1000 + i - 1}`].slice(0, i === 0 ? 2 : 3),
      ).flat();
    const threads = [1, 2, 3].flatMap((t) => [`tb ${t}`, ...grow(t), `te ${t}`]);
    const result = await tune({
      ...options,
      task: { ...task, events: eventsOf(threads), cpus: 2, mode: 'virtual', pace: 'recorded' },
      objective: 'rssPeakBytes',
      options: ['arena_max'],
      keep: ['virtualNs', 'cpuNs', 'syscalls', 'faults'].map((metric) => ({ metric, percent: null, slack: 0 })),
    });
    expect(result.best.allocator).toBe('glibc@2.36:arena_max=1');
    expect(result.validation).toMatchObject({ inOrders: true, holds: true });
    expect(result.validation!.rows).toHaveLength(3);
    expect(tuneText(result).replace(/\s+/g, ' ')).toMatch(
      /hangs on the order of their calls: at full speed with 3 other seeds it is \d.* instead of \d/,
    );
  });

  test('work may grow by a share of what the recorded program takes in all', () => {
    const cpuOf = (bounds: readonly Bound[]) => bounds.find(({ metric }) => metric === 'cpuNs');
    expect(cpuOf(boundsFor('rssBytes', []))).toEqual({ metric: 'cpuNs', percent: 10, slack: 0 });
    expect(cpuOf(boundsFor('rssBytes', [], 700e6))).toEqual({ metric: 'cpuNs', percent: 10, slack: 70e6 });
    expect(cpuOf(boundsFor('rssBytes', [parseBound('cpuNs=any')], 700e6))).toEqual(parseBound('cpuNs=any'));
  });

  test('keeps to its limits and its budget', async () => {
    const keep = [{ metric: 'syscalls', percent: 0, slack: 0 }];
    const kept = await tune({ ...options, options: ['mmap_threshold'], keep });
    const callsOf = (allocator: string) => kept.points.find((p) => p.allocator === allocator)!.figures['syscalls']!;
    expect(callsOf(kept.best.allocator)).toBeLessThanOrEqual(callsOf(kept.from.allocator));
    const short = await tune({ ...options, budget: 3 });
    expect(short.runs).toBe(3);
    expect(short.settled).toBe(false);
  });

  test('debugging options are no settings to propose', async () => {
    for (const model of ['glibc', 'jemalloc', 'zendmm']) {
      const tried = dimensionsOf(parseAllocator(model, 4), 4, undefined).map((d) => d.option);
      expect(tried.length).toBeGreaterThan(0);
      for (const name of DEBUGGING) expect(tried).not.toContain(name);
    }
    await expect(tune({ ...options, options: ['perturb'] })).rejects.toThrow(/for finding faults/);
  });

  test('a bound holds the cost of a setting: a mapping for every block is shown and not proposed', async () => {
    const small = eventsOf(Array.from({ length: 400 }, (_, i) => [`m 0 ${i + 1} 150000`, `f 0 ${i + 1}`]).flat());
    const result = await tune({
      ...options,
      task: { ...task, events: small, mode: 'virtual' },
      objective: 'rssBytes',
      options: ['mmap_threshold', 'tcache_count'],
      validationSeeds: 1,
    });
    const pick = result.points.find((p) => p.allocator === result.best.allocator)!;
    expect(pick.withinBounds).toBe(true);
    const first = result.points[0]!;
    expect(pick.figures['virtualNs']!).toBeLessThanOrEqual(first.figures['virtualNs']! * 1.1);
    const mapped = result.points.find((p) => p.allocator === 'glibc@2.36:mmap_threshold=131072')!;
    expect(mapped.withinBounds).toBe(false);
    expect(mapped.figures['syscalls']!).toBeGreaterThan(700);
  });

  test('what changes nothing is dropped, and the pick is ready to paste', async () => {
    const result = await tune({ ...options, options: ['mmap_threshold', 'mxfast', 'arena_max'] });
    expect(result.best.allocator).toMatch(/^glibc@2\.36:mmap_threshold=\d+$/);
    expect(result.inert).toContain('arena_max');
    const setting = result.best.allocator.split(':')[1];
    expect(result.paste.map((p) => p.place)).toEqual(['shell', 'systemd', 'Dockerfile']);
    expect(result.paste[0]!.text).toBe(`export GLIBC_TUNABLES=glibc.malloc.${setting}`);
    for (const line of tuneText(result).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('of settings that are as good the cheaper one is picked, and the table says what its columns are', async () => {
    // Both thresholds map the large blocks; the lower one also the middle ones, which come and go where live blocks lie later.
    const middle = eventsOf([
      'm 0 1 20000000',
      'f 0 1',
      ...Array.from({ length: 40 }, (_, i) => [`m 0 ${i + 1000} 70000`, `f 0 ${i + 1000}`]).flat(),
      ...Array.from({ length: 3000 }, (_, i) => `m 0 ${i + 2000} 60`),
      ...Array.from({ length: 20 }, (_, i) => [`m 0 ${i + 2} 900000`, `m 0 ${i + 100} 24`]).flat(),
      ...Array.from({ length: 20 }, (_, i) => `f 0 ${i + 2}`),
    ]);
    const any = (metric: string) => ({ metric, percent: null, slack: 0 });
    const result = await tune({
      ...options,
      task: { ...task, events: middle, mode: 'virtual' },
      keep: ['virtualNs', 'cpuNs', 'syscalls', 'faults'].map(any),
      options: ['mmap_threshold'],
    });
    const pick = result.points.find((p) => p.allocator === result.best.allocator)!;
    expect(result.best.value).toBeLessThan(result.from.value);
    const asGood = result.points.filter((p) => p.figures['rssBytes'] === result.best.value);
    expect(asGood.length).toBeGreaterThan(1);
    for (const { figures } of asGood) expect(pick.figures['virtualNs']).toBeLessThanOrEqual(figures['virtualNs']!);
    const text = tuneText(result);
    expect(text).toContain('time is virtualNs');
    expect(text).toContain('Every seed gives the same here.');
  });

  test('refuses what it does not know', async () => {
    await expect(tune({ ...options, options: ['arena_maxx'] })).rejects.toThrow(/has no option 'arena_maxx'/);
    await expect(tune({ ...options, objective: 'rss' })).rejects.toThrow(/unknown metric 'rss'/);
    await expect(tune({ ...options, objective: 'engineEventsPerSecond' })).rejects.toThrow(/the simulator's own speed/);
    await expect(tune({ ...options, objective: 'lockWaitNs' })).rejects.toThrow(/no figure of a run in mode lockstep/);
  });
});
