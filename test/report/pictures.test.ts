import { describe, expect, test } from 'vitest';
import { svgFigures } from '../../bench/report/figures.ts';
import { histogramsOf } from '../../bench/report/histograms.ts';
import { plotText } from '../../bench/report/plot-text.ts';
import type { ReportRun } from '../../bench/report/report-run.ts';
import { terminalPlot } from '../../bench/report/terminal-plot.ts';
import { recordRun } from '../../bench/study/record.ts';
import { bumpOptions, eventsOf } from '../helpers/bump-run.ts';

const LINES = ['m 0 1 1', '+ 1000', 'm 0 2 70000', 'c 1 3 4 256', '= <full & "ready">', 'f 0 1', 'r 0 2 5', 'f 0 2'];

describe('histograms', () => {
  test('sizes and lifetimes by powers of two', () => {
    const h = histogramsOf(eventsOf(LINES));
    expect(h.sizes[0]).toBe(1);
    expect(h.sizes[16]).toBe(1);
    expect(h.sizes[10]).toBe(1);
    expect(h.sizes[2]).toBe(1); // the realloc
    expect(h.sizeBytes[16]).toBe(70000);
    expect(h.lifetimeEvents).toEqual([0, 0, 2]); // 5 events each
    expect(h.lifetimeNs[9]).toBe(1);
    expect(h.lifetimeNs[0]).toBe(1);
    expect(h.neverFreed).toBe(1);
  });

  test('no clock, no lifetimes in time', () => {
    expect(histogramsOf(eventsOf(['m 0 1 1', 'f 0 1'])).lifetimeNs).toEqual([]);
  });
});

describe('figures', () => {
  test('every SVG is balanced, escaped and stands alone', async () => {
    const run: ReportRun = await recordRun(bumpOptions(LINES));
    const files = svgFigures([run, run], histogramsOf(eventsOf(LINES)));
    expect([...files.keys()]).toEqual([
      'resident.svg',
      'breakdown-1-bump_1.svg',
      'address-space-1-bump_1.svg',
      'breakdown-2-bump_1.svg',
      'address-space-2-bump_1.svg',
      'sizes.svg',
      'size-bytes.svg',
      'lifetimes.svg',
      'lifetimes-time.svg',
    ]);
    for (const text of files.values()) {
      expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(text).not.toMatch(/NaN|undefined|href|<script/);
      const open = text.match(/<(\w+)[^>]*[^/]>/g)!.map((tag) => /\w+/.exec(tag)![0]);
      const close = text.match(/<\/(\w+)>/g)!.map((tag) => /\w+/.exec(tag)![0]);
      expect(open.sort()).toEqual(close.sort());
    }
    expect(files.get('resident.svg')).toContain('&lt;full &amp; &quot;ready&quot;&gt;');
  });
});

describe('the plot in the terminal', () => {
  const options = { columns: 13, height: 3, yText: String, xText: String, colours: false };

  test('the peak reaches the top, however narrow', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i === 517 ? 8 : 0));
    const rows = terminalPlot(
      values.map((_, i) => i),
      [{ label: 'a', values }],
      options,
    ).split('\n');
    expect(rows[0]).toMatch(/^8 ┤ +[\u2801-\u28ff]/u);
    expect(rows[2]).toMatch(/^0 ┤[\u2801-\u28ff]+$/u);
  });

  test('nothing at all is drawn as a line at 0', () => {
    expect(terminalPlot([0, 1], [{ label: 'a', values: [0, 0] }], options)).toMatch(/0 ┤⣀{10}/);
  });

  test('of a run', async () => {
    const run = await recordRun(bumpOptions(LINES));
    const text = plotText([run], 60, false);
    expect(text).toContain('⠒⠒ resident   ⠒⠒ requested');
    expect(text.split('\n')[0]).toContain('72.0 KiB');
  });

  test.each([30, 60, 80])('no line is longer than %i columns', async (columns) => {
    const run = await recordRun(bumpOptions(LINES));
    const named = (allocator: string): ReportRun => ({
      ...run,
      result: { ...run.result, run: { ...run.result.run, allocator } },
    });
    const runs = ['glibc@2.36:arena_max=2,mmap_threshold=131072,tcache_count=0', 'jemalloc@5.3.0', 'bump@1'].map(named);
    const lines = plotText(runs, columns, false).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines.filter((line) => line.includes('⠒⠒')).join(' ')).toContain('jemalloc@5.3.0');
  });
});
