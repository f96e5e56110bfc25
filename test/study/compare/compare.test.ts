import { describe, expect, test } from 'vitest';
import { compareResults } from '../../../bench/metrics/comparison.ts';
import { differ, spreadOf } from '../../../bench/metrics/statistics.ts';
import { runLockstep } from '../../../bench/run/modes/lockstep.ts';
import type { RunResult } from '../../../bench/run/result.ts';
import { splitAllocators } from '../../../bench/study/compare/allocator-list.ts';
import { answerSentences } from '../../../bench/study/compare/answer-text.ts';
import { comparisonText } from '../../../bench/study/compare/text.ts';
import { csvText } from '../../../sim/contract/escape.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

describe('compare', () => {
  test('commas part allocators and options', () => {
    expect(splitAllocators('glibc,jemalloc')).toEqual(['glibc', 'jemalloc']);
    expect(
      splitAllocators('glibc:arena_max=2,mmap_threshold=1M,jemalloc@5.3.0:narenas=1,zendmm+glibc:top_pad=0'),
    ).toEqual(['glibc:arena_max=2,mmap_threshold=1M', 'jemalloc@5.3.0:narenas=1', 'zendmm+glibc:top_pad=0']);
    expect(splitAllocators('zendmm:all=true+glibc:arena_max=2,top_pad=0,glibc')).toEqual([
      'zendmm:all=true+glibc:arena_max=2,top_pad=0',
      'glibc',
    ]);
  });

  test('spaces part allocators too', () => {
    const pair = ['glibc:arena_max=2,top_pad=0', 'jemalloc'];
    for (const text of ['glibc:arena_max=2, top_pad=0, jemalloc', ' glibc:arena_max=2,top_pad=0 jemalloc ']) {
      expect(splitAllocators(text)).toEqual(pair);
    }
  });

  test('ranges that overlap are no difference', () => {
    expect(spreadOf([3, 1, 2])).toMatchObject({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1, 2, 3]).median).toBe(2.5);
    expect(differ(spreadOf([1, 2]), spreadOf([2, 3]))).toBe(false);
    expect(differ(spreadOf([1, 2]), spreadOf([3, 4]))).toBe(true);
  });

  /** A real run with other figures put in. */
  async function withPeaks(allocator: string, peaks: readonly number[]): Promise<RunResult[]> {
    const base = await runLockstep(bumpOptions(['m 0 1 1000', 'f 0 1']));
    return peaks.map((rssPeakBytes, seed) => ({
      ...base,
      run: { ...base.run, allocator, seed },
      summary: { ...base.summary, rssPeakBytes },
    }));
  }

  test('best and worst are marked only where the ranges are apart', async () => {
    const runs = [
      await withPeaks('a', [100, 110, 120]),
      await withPeaks('b', [115, 118, 119]),
      await withPeaks('c', [300, 310, 320]),
    ];
    const peak = compareResults(runs).rows.find((r) => r.metric === 'rssPeakBytes')!;
    expect(peak.cells.map((c) => c?.mark)).toEqual(['best', 'best', 'worst']);
    expect(peak.cells.map((c) => c?.differsFromFirst)).toEqual([false, false, true]);
    expect(peak.cells[2]!.ratio).toBeCloseTo(310 / 110);
    const same = compareResults(runs).rows.find((r) => r.metric === 'rssBytes');
    expect(same?.cells.map((c) => c?.mark) ?? [null]).not.toContain('best');
    const text = comparisonText(compareResults(runs));
    expect(text).toContain('310 B (300 B to 320 B) -');
    expect(text).toContain('(×1.07)');
  });

  test('what reads the same has no mark', async () => {
    const marks = async (...peaks: readonly number[]) => {
      const runs = await Promise.all(peaks.map((peak, i) => withPeaks('abc'[i]!, [peak])));
      return compareResults(runs)
        .rows.find((r) => r.metric === 'rssPeakBytes')!
        .cells.map((c) => c!.mark);
    };
    expect(await marks(2_000_000_000, 2_000_000_002)).toEqual([null, null]);
    expect(await marks(2_000_000_000, 2_000_000_002, 3_000_000_000)).toEqual(['best', 'best', 'worst']);
    expect(await marks(2_000_000_000, 2_020_000_000)).toEqual(['best', 'worst']);
  });

  test('what says nothing is left out, and columns that are the same are said to be', async () => {
    const runs = [await withPeaks('a', [100]), await withPeaks('b', [100]), await withPeaks('c', [300])];
    const comparison = compareResults(runs);
    const names = comparison.rows.map((r) => r.metric);
    expect(names).not.toContain('engineEventsPerSecond');
    expect(names).not.toContain('failedAllocations');
    expect(comparison.same).toEqual([[0, 1]]);
    expect(comparisonText(comparison)).toContain('A and B are the same in every figure: nothing in this workload');
  });

  test('one allocator has no best, the same one twice no difference, and a range that reads as one value is none', async () => {
    const [a, b] = [await withPeaks('a', [100]), await withPeaks('a', [100])];
    expect(comparisonText(compareResults([a]))).not.toContain('best');
    expect(comparisonText(compareResults([a, b]))).toContain(
      'A and B are the same in every figure: it is one allocator.',
    );
    const close = await withPeaks('a', [1_000_000_000, 1_000_000_001]);
    expect(comparisonText(compareResults([close]))).not.toMatch(/\d to \d/);
  });

  test.each([60, 80, 120])('fits %i columns, however many allocators there are', async (width) => {
    const runs = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        withPeaks(`glibc@2.36:arena_max=${i},mmap_threshold=1048576`, [1e9 + i, 2e9]),
      ),
    );
    const text = comparisonText(compareResults(runs), undefined, width);
    expect(text.split('\n').filter((line) => line.length > width)).toEqual([]);
    for (const letter of 'ABCDEFGHI') expect(text).toMatch(new RegExp(`^ .* ${letter}( |$)`, 'm'));
  });
});

describe('the answer of a comparison', () => {
  type Figures = Partial<Record<'rssPeakBytes' | 'rssBytes' | 'cpuNs' | 'faults' | 'waitNs', number>>;
  async function answerOf(...columns: readonly (readonly Figures[])[]): Promise<string> {
    const base = await runLockstep(bumpOptions(['m 0 1 1000', 'f 0 1']));
    const runs = columns.map((figures, i) =>
      figures.map((own, seed) => ({
        ...base,
        run: { ...base.run, allocator: 'abc'[i]!, seed, mode: 'virtual' as const },
        summary: { ...base.summary, rssPeakBytes: 1 << 20, rssBytes: 1 << 20, cpuNs: 1000, faults: 100, ...own },
      })),
    );
    return answerSentences(compareResults(runs), ['A', 'B', 'C']).join(' ');
  }

  test('which needs least, by how much, and what that costs', async () => {
    expect(await answerOf([{}], [{ rssPeakBytes: 1 << 19, cpuNs: 1200, waitNs: 5000 }])).toBe(
      'B needs least memory at its peak: 512.0 KiB, 50.0 % less than A, at 20.0 % more work, 5.00 µs of waits for locks instead of 0 ns.',
    );
    expect(await answerOf([{}], [{ rssPeakBytes: 1 << 19 }])).toContain('at no more time, work, faults or calls.');
  });

  test('who needs about as little and works less is named too', async () => {
    const half = { rssPeakBytes: 1 << 19, cpuNs: 3000 };
    expect(await answerOf([{}], [half], [{ rssPeakBytes: (1 << 19) + 4096, cpuNs: 750 }])).toBe(
      'B needs least memory at its peak: 512.0 KiB, 50.0 % less than A, at 200.0 % more work. C needs about as little, 516.0 KiB, at 75.0 % less work than B.',
    );
    expect(await answerOf([{}], [half], [{ rssPeakBytes: (1 << 19) + 8192, cpuNs: 750 }])).not.toContain('C needs');
    expect(await answerOf([{}], [half], [{ ...half, cpuNs: 2990 }])).not.toContain('C needs');
  });

  test('what grows by less than is worth a word is not said to be no more', async () => {
    const half = { rssPeakBytes: 1 << 19 };
    expect(await answerOf([{}], [{ ...half, cpuNs: 1004, faults: 101 }])).toMatch(
      /less than A, at 1\.0 % more page faults at most\.$/,
    );
    expect(await answerOf([{ cpuNs: 2e9 }], [{ ...half, cpuNs: 2e9 + 2 }])).toContain('at no more time, work,');
    expect(await answerOf([{ waitNs: 100_000 }], [{ ...half, waitNs: 100_900 }])).toMatch(
      /1\.0 % more waits for locks/,
    );
    expect(await answerOf([{}], [{ ...half, cpuNs: 1200, faults: 101 }])).toMatch(/at 20\.0 % more work\.$/);
  });

  test('the first one is an answer too, and another one may be it at the end', async () => {
    expect(await answerOf([{}], [{ rssPeakBytes: 1 << 21 }])).toBe(
      'A needs least memory at its peak: 1.00 MiB; B is next with 100.0 % more.',
    );
    expect(await answerOf([{}], [{ rssBytes: 1 << 18, faults: 300 }], [{}])).toBe(
      'None needs less memory at its peak than A, 1.00 MiB, by 1.0 % or more. B needs least memory at the end: 256.0 KiB, 75.0 % less than A, at 200.0 % more page faults.',
    );
  });

  test('many times as much is no share, nor is anything of nothing', async () => {
    expect(await answerOf([{ rssPeakBytes: 0 }], [{ rssPeakBytes: 1 << 18 }])).toBe(
      'A needs least memory at its peak: 0 B; B is next with 256.0 KiB.',
    );
    expect(await answerOf([{}], [{ rssPeakBytes: 65 << 20 }])).toMatch(/B is next with 65 times as much\.$/);
    expect(await answerOf([{}], [{ rssPeakBytes: 1 << 19, cpuNs: 12_345 }])).toMatch(/, at 12 times the work\.$/);
  });

  test('seeds that overlap confirm nothing, and of runs that are the same nothing is said', async () => {
    const wide = [{ rssPeakBytes: 900_000 }, { rssPeakBytes: 1_200_000 }];
    expect(
      await answerOf(
        [{}, {}],
        wide.map((f) => ({ rssPeakBytes: f.rssPeakBytes - 60_000 })),
      ),
    ).toMatch(/confirm|None needs less/);
    expect(await answerOf([{}], [{}])).toBe('');
  });
});

test('figures of a table have no more digits than they are good for', () => {
  expect(csvText(['x'], [[764225198.2988265], [1.147154559269217], [31254.188105], [0.1 + 0.2], [12], [null]])).toBe(
    'x\n764225198\n1.14715\n31254.2\n0.3\n12\n\n',
  );
});
