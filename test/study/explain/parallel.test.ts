import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { explainInParallel } from '../../../bench/study/explain/explain-in-parallel.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { Interrupted } from '../../../sim/contract/assert.ts';
import { duration, percent } from '../../../sim/contract/format.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const LINES = [
  ...Array.from({ length: 3000 }, (_, i) => `m 0 ${i} ${100 + (i % 7) * 1000}`),
  ...Array.from({ length: 2990 }, (_, i) => `f 0 ${i}`),
];
const options = (lines: readonly string[] = LINES) => ({
  events: eventsOf(lines),
  workload: 'test',
  spec: parseAllocator('glibc@2.36', 2),
  cpus: 2,
});

/** Small chunks that stay unmerged: `mxfast=0` gives them back. */
const UNMERGED = [
  'm 0 3000 5000',
  ...Array.from({ length: 3000 }, (_, i) => `m 0 ${i} 100`),
  ...Array.from({ length: 3000 }, (_, i) => `f 0 ${i}`),
];

describe('explain beside its trials', () => {
  test.each([1, 2])('says the same with %i workers, and what the advice takes', async (workers) => {
    const alone = explain(options(UNMERGED));
    const { verdict, whatIf, times, workNs, ...rest } = await explainInParallel(options(UNMERGED), { workers });
    const { verdict: expected, whatIf: trials, times: untimed, workNs: counted, ...facts } = alone;
    expect(untimed).toBeNull();
    expect(times?.cpuNs).toBe(workNs);
    expect(workNs).toBeGreaterThan(counted); // what the program writes is in it
    expect(JSON.stringify(rest)).toBe(JSON.stringify(facts));
    expect(whatIf.map((w) => [w.setting, w.rssBytes])).toEqual(trials.map((w) => [w.setting, w.rssBytes]));
    expect(verdict.advice?.setting).toBe(expected.advice?.setting);
    expect(verdict.advice?.cpuNs).toBeGreaterThan(0);
    const told = new Set(verdict.sentences);
    expect(expected.sentences.filter((sentence) => !told.has(sentence))).toEqual([]);
  });

  test('what runs by another clock and without malloc_trim tell is said as it is alone', async () => {
    const blocks = (event: (i: number) => string) => Array.from({ length: 300 }, (_, i) => event(i));
    const waited = [
      '%machine processor-waits 1500000000',
      ...blocks((i) => `m 0 ${i} 90000`),
      ...blocks((i) => `f 0 ${i}`),
      '+ 2000000000',
      'm 0 1 8',
    ];
    const round = [
      ...blocks((i) => `m 0 ${i} 60000`),
      'm 0 999 2000',
      ...blocks((i) => `f 0 ${i}`),
      'trim 0 0',
      'f 0 999',
    ];
    const trimmed = ['opt 0 M_TRIM_THRESHOLD 100000000', ...round, ...round, ...round];
    for (const [lines, allocator, said] of [
      [waited, 'jemalloc', 'the program waited 1.50 s for a processor'],
      [trimmed, 'glibc@2.36', 'without its 3 calls of malloc_trim there are'],
    ] as const) {
      const asked = { ...options(lines), spec: parseAllocator(allocator, 2), whatIf: false };
      const { sentences } = explain(asked).verdict;
      expect(sentences.join(' ')).toContain(said);
      for (const workers of [1, 2])
        expect((await explainInParallel(asked, { workers })).verdict.sentences).toEqual(sentences);
    }
  });

  test('the work of one thread is one figure, timed or not', async () => {
    const e = await explainInParallel(options(UNMERGED), { workers: 1 });
    const { setting, cpuNs, workNs } = e.verdict.advice!;
    expect(workNs).toBe(cpuNs);
    const text = explanationText(e, undefined, { width: 200 });
    expect(text).toMatch(/resident +work +peak/);
    expect(text).toMatch(new RegExp(`as it is .* ${duration(e.times!.cpuNs)} `));
    const share = `+${percent(cpuNs! / e.times!.cpuNs - 1)}`;
    expect(text.split('\n').find((line) => line.startsWith(`  ${setting}  `) && line.includes('%'))).toContain(share);
    expect(text).not.toContain('threads beside each other');
    // What was only counted lies as far from the time as it is as the price of the difference.
    const alone = explain(options(UNMERGED));
    for (const [i, w] of e.whatIf.entries()) {
      if (w.cpuNs !== null || w.faults !== e.sample.faults) continue;
      expect(w.workNs - e.workNs, w.setting).toBeCloseTo(alone.whatIf[i]!.workNs - alone.workNs, 3);
    }
  });

  test('the table shows the work by which a setting was judged, and says so', async () => {
    const e = await explainInParallel(options([...UNMERGED, 'm 1 9999 100']), { workers: 1 });
    const { setting, cpuNs, cpuMostNs, workNs } = e.whatIf.find((w) => w.setting === 'arena_max=1')!;
    const shareOf = (ns: number, before: number) => `${ns > before ? '+' : ''}${percent(ns / before - 1)}`;
    const [share, most] = [shareOf(cpuNs!, e.times!.cpuNs), shareOf(cpuMostNs!, e.times!.cpuNs)];
    expect(share).not.toBe(shareOf(workNs, e.workNs));
    expect(most).not.toBe(share);
    const text = explanationText(e, undefined, { width: 200 });
    expect(text.split('\n').find((line) => line.startsWith(`  ${setting}  `) && line.includes('%'))).toContain(
      `${shareOf(workNs, e.workNs)}  ${share.replace(' %', '')} to ${most}  `,
    );
    expect(text).toMatch(new RegExp(`as it is .* ${duration(e.workNs)} +${duration(e.times!.cpuNs)} `));
    expect(text).toContain('timed: the work with threads beside each other');
    const untimed = explanationText(explain(options(UNMERGED)));
    expect(untimed).not.toContain('timed');
  });

  test('settings that start the allocator alike are one run', async () => {
    let runs = 0;
    const e = await explainInParallel(options(), { workers: 1, onDone: () => runs++ });
    const look = 1;
    const asItIs = e.times ? 1 : 0;
    const timed = e.whatIf.filter((w) => w.cpuNs !== null).length;
    const trials = runs - look - asItIs - timed;
    expect(e.whatIf.map((w) => w.setting)).toEqual(
      expect.arrayContaining(['mmap_threshold=131072', 'trim_threshold=131072']),
    );
    expect(trials).toBeLessThan(e.whatIf.length);
    const figures = (setting: string) => {
      const { rssPeakBytes, faults, syscalls } = e.whatIf.find((w) => w.setting === setting)!;
      return { rssPeakBytes, faults, syscalls };
    };
    expect(figures('mmap_threshold=131072')).toEqual(figures('trim_threshold=131072'));
  });

  test('heaps that threads share: the advice counts as in the worst order; requests that never met do not', async () => {
    const threads = 8;
    const request = (t: number) => [
      ...Array.from({ length: 200 }, (_, i) => `m ${t} ${t * 1000 + i} 3000`),
      `m ${t} ${t * 1000 + 999} 40`,
      ...Array.from({ length: 200 }, (_, i) => `f ${t} ${t * 1000 + i}`),
    ];
    const of = (lines: string[]) =>
      explainInParallel(
        { events: eventsOf(lines), workload: 'test', spec: parseAllocator('glibc@2.36', 2), cpus: 2 },
        { workers: 1 },
      );
    const timed = await of(Array.from({ length: threads }, (_, t) => [...request(t), '+ 50000000']).flat());
    const one = timed.verdict.advice!;
    expect(one.setting).toMatch(/arena_max=1/);
    expect(one.orders!.mostBytes).toBeLessThan(timed.sample.rssBytes / 4);
    expect(timed.orders!.leastBytes).toBeLessThanOrEqual(timed.sample.rssBytes);
    expect(timed.orders!.mostBytes).toBeGreaterThanOrEqual(timed.sample.rssBytes);
    const untimed = await of(Array.from({ length: threads }, (_, t) => request(t)).flat());
    const shared = untimed.whatIf.find((w) => w.orders !== null)!;
    expect(shared.orders!.leastBytes).toBeLessThanOrEqual(shared.rssBytes);
    expect(shared.orders!.mostBytes).toBeGreaterThan(2 * shared.rssBytes);
    expect(untimed.verdict.answer.join(' ')).toMatch(/in the orders that were run/);
  });

  test('an interruption leaves what had been run, and no conclusion from the rest', async () => {
    const controller = new AbortController();
    let runs = 0;
    const onDone = () => {
      if (++runs === 4) controller.abort();
    };
    const e = await explainInParallel(options(), { workers: 1, onDone, signal: controller.signal });
    expect(e.partial).toBe(true);
    expect(e.whatIf.length).toBeGreaterThan(0);
    expect(e.whatIf.length).toBeLessThan(explain(options()).whatIf.length);
    expect(explanationText(e)).toContain('(partial: interrupted)');
    expect(e.verdict.sentences.join(' ')).toMatch(/Interrupted when \d+ other settings had been run/);
    expect(e.verdict.sentences.join(' ')).not.toContain('Nothing to gain');
  });

  test('before there is anything to say, it is interrupted', async () => {
    const signal = AbortSignal.abort();
    await expect(explainInParallel(options(), { workers: 2, signal })).rejects.toThrow(Interrupted);
  });
});

const stateWith = (threads: number) => (text: string) => {
  const { model, version, given } = parseAllocator(text, 2);
  return model.startingState!(version, given, { thp: 'never', cpus: 2, threads });
};

test('what starts alike: a limit that leaves an arena for each thread is none', () => {
  const state = stateWith(4);
  expect(state('glibc:arena_max=4')).toBe(state('glibc'));
  expect(state('glibc:arena_max=3')).not.toBe(state('glibc'));
  expect(state('glibc:arena_max=3')).not.toBe(state('glibc:arena_max=2'));
  const many = stateWith(20); // 16 arenas on two processors
  expect(many('glibc:arena_max=20')).not.toBe(many('glibc'));
  expect(many('glibc:arena_max=20')).toBe(many('glibc:arena_max=32'));
});

test('what starts alike: giving any threshold its default freezes both', () => {
  const state = stateWith(4);
  expect(state('glibc:mmap_threshold=131072')).toBe(state('glibc:trim_threshold=131072'));
  expect(state('glibc:top_pad=0,mmap_threshold=131072')).toBe(state('glibc:top_pad=0'));
  expect(state('glibc:mmap_threshold=131072')).not.toBe(state('glibc'));
  expect(state('glibc:mmap_threshold=262144')).not.toBe(state('glibc:mmap_threshold=131072'));
  expect(state('glibc:tcache_count=7')).toBe(state('glibc'));
});
