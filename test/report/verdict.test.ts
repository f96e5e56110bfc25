import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { buildPageData } from '../../bench/report/build-page.ts';
import type { MomentData } from '../../bench/report/page-data.ts';
import type { ReportRun } from '../../bench/report/report-run.ts';
import { differenceOf, verdictOf } from '../../bench/report/verdict.ts';
import { recordRun } from '../../bench/study/record.ts';
import { bumpOptions, eventsWithSites } from '../helpers/bump-run.ts';

const LINES = ['m 0 1 40000', 'm 0 2 20000', 'f 0 1'];

async function runWith(change: (result: ReportRun['result']) => Partial<ReportRun['result']>): Promise<ReportRun> {
  const run = await recordRun(bumpOptions(LINES));
  return { ...run, result: { ...run.result, ...change(run.result) } };
}

describe('the verdict of a report', () => {
  test('what is free and kept is said first where it is most, with its place', async () => {
    const { headline, sentences } = verdictOf(await runWith(() => ({})));
    expect(headline).toBe(
      'At the end 60.0 KiB are resident and the program holds 19.5 KiB; 53.3 % of what is resident is returnable memory (free, on whole pages that hold nothing else).',
    );
    expect(sentences[0]).toBe('All of it lies in the main heap (what malloc takes with brk): 60.0 KiB.');
    // Where a little lies elsewhere it is not all of it.
    const run = await runWith(() => ({}));
    const moments = run.moments!.map((m) => ({ ...m, rssBytes: m.rssBytes * 1.004 }));
    expect(verdictOf({ ...run, moments }).sentences[0]).toBe(
      'Nearly all of it lies in the main heap (what malloc takes with brk): 60.0 KiB.',
    );
    const dirty = run.moments!.map((m) => ({
      ...m,
      places: m.places.map((p) => ({ ...p, name: 'dirty extent', areas: 7 })),
    }));
    expect(verdictOf({ ...run, moments: dirty }).sentences[0]).toContain(
      'in 7 dirty extents (free pages that jemalloc keeps until their decay time is over): ',
    );
    expect(sentences.join(' ')).toMatch(/The peak is 60\.0 KiB, at event \d, nearly all of it requested\./);
    expect(sentences.at(-1)).toBe("What would change it, and at what cost: sim explain test --allocator='bump@1'");
  });

  test.each(['lockstep', 'virtual'] as const)('%s: a program that exits is judged before', async (mode) => {
    const run = await recordRun({ ...bumpOptions([...LINES, 'f 0 2']), mode }, 'pages', {
      event: 3,
      about: 'just before the program began to exit',
    });
    expect(run.moments!.map(({ label }) => label)).toContain('where it is judged');
    const { headline, sentences } = verdictOf(run);
    expect(headline).toMatch(
      /^Before the program ends 60\.0 KiB are resident and the program holds 19\.5 KiB; 53\.3 % of/,
    );
    expect(sentences.slice(0, 2)).toEqual([
      'Judged just before the program began to exit.',
      'All of it lies in the main heap (what malloc takes with brk): 60.0 KiB.',
    ]);
    expect(sentences.some((s) => /^At the end .* resident and the program holds 0 B\.$/.test(s))).toBe(true);
  });

  test('the end is not told where it reads as the judged moment, and a moment is told at length once', async () => {
    const about = 'just before the program began to exit; 3 threads ended before';
    const run = await recordRun({ ...bumpOptions([]), events: eventsWithSites() }, 'pages', { event: 3, about });
    const [data] = buildPageData([run]).runs;
    const told = JSON.stringify([data!.verdict, data!.sites]);
    expect(told.split(about)).toHaveLength(2);
    expect(told).toContain('Resident where it is judged, in file order');
    const judged = run.result.samples.find(({ label }) => label === '#3')!;
    const { rssBytes, requestedBytes } = judged;
    const summary = { ...run.result.summary, rssBytes, requestedBytes };
    expect(verdictOf(run).sentences.join(' ')).toContain('At the end ');
    expect(verdictOf({ ...run, result: { ...run.result, summary } }).sentences.join(' ')).not.toContain('At the end ');
  });

  test('what the program holds and has never touched is not resident, and that is said', async () => {
    const run = await recordRun({ ...bumpOptions(['m 0 1 40000', 'm 0 2 900000']), touch: 'none' as const });
    const { summary } = run.result;
    const breakdown = { ...summary.breakdown, requested: summary.rssBytes };
    const { headline, sentences } = verdictOf({
      ...run,
      result: { ...run.result, summary: { ...summary, breakdown } },
    });
    expect(headline).toMatch(/ is requested: the program holds 918\.0 KiB, \d+\.\d+ KiB of that resident\.$/);
    expect(sentences.at(-1)).toMatch(/^Whether it grows without end: sim explain test /);
  });

  test('behind an explanation the end is not told: it is of one moment', async () => {
    const { headline, sentences } = verdictOf({ ...(await runWith(() => ({}))), verdict: ['Requested.'] });
    expect(headline).toMatch(/^At the end/);
    expect(sentences.join(' ')).not.toContain('At the end');
  });

  test('a program that allocates nothing', async () => {
    const { headline, sentences } = verdictOf(await recordRun(bumpOptions([])));
    expect(headline).toBe('Nothing was ever resident: this run allocated nothing.');
    expect(sentences).toEqual([]);
  });

  test('an abort comes before all else', async () => {
    const run = await runWith(() => ({ abort: { event: 1234, message: 'double free or corruption (top)' } }));
    const { headline, sentences } = verdictOf(run);
    expect(headline).toMatch(/^When the program aborts /);
    expect(sentences[0]).toBe('The real program would have aborted at event 1,234: double free or corruption (top)');
  });

  test('a peak between two samples is said to be one', async () => {
    const run = await runWith(({ summary }) => ({ summary: { ...summary, rssPeakBytes: summary.rssPeakBytes * 2 } }));
    expect(verdictOf(run).sentences.join(' ')).toContain('The peak is 120.0 KiB, for a moment between two samples;');
  });

  test('parts are told of a peak that reads as their sum, else of the highest sample', async () => {
    const peaking = async (more: number) =>
      verdictOf(
        await runWith(({ summary }) => ({ summary: { ...summary, rssPeakBytes: summary.rssPeakBytes + more } })),
      ).sentences.join(' ');
    expect(await peaking(20)).toMatch(/The peak is 60\.0 KiB, around event \d/);
    expect(await peaking(1024)).toMatch(
      /The peak is 61\.0 KiB, for a moment between two samples; the highest sample, at event \d, has 60\.0 KiB/,
    );
  });

  test('the lines of code that hold most, and whose memory is free, are named', async () => {
    const events = eventsWithSites();
    const run = await recordRun({
      ...bumpOptions([]),
      events,
      spec: parseAllocator('glibc:mmap_threshold=1000000', 1),
    });
    const said = verdictOf(run).sentences.find((sentence) => sentence.startsWith('By call site, '));
    expect(said).toBe(
      'By call site, at the end of the trace: 390.6 KiB (79.4 %) of what is free was allocated last by big.',
    );
    const early = await recordRun({ ...bumpOptions([]), events: { ...events, length: 4 } });
    const held = verdictOf(early).sentences.find((sentence) => sentence.startsWith('By call site, '));
    expect(held).toMatch(/\(74\.\d %\) of what is held was allocated by big\.$/);
    expect(verdictOf({ ...run, sites: [] }).sentences.join()).not.toContain('By call site');
  });

  test('waiting is a cost only where there is much of it', async () => {
    const waiting = (waitNs: number) =>
      runWith(({ run, summary }) => ({
        run: { ...run, mode: 'virtual' },
        summary: { ...summary, waitNs, cpuNs: 1000 },
        locks: [{ name: 'main_arena.mutex', waitNs: { total: waitNs } } as never],
      }));
    expect(verdictOf(await waiting(10)).sentences).toContain('Locks cost little: threads waited 10 ns in all.');
    expect(verdictOf(await waiting(500)).sentences).toContain(
      'Threads waited 500 ns for locks, for 1.00 µs of work; 500 ns of it for main_arena.mutex.',
    );
  });
});

describe('the difference of two runs', () => {
  test('none is said to be none', async () => {
    const { result } = await runWith(() => ({}));
    expect(differenceOf(result, result)).toEqual({
      headline: 'bump@1 needs exactly the memory that bump@1 needs.',
      sentences: [],
    });
  });

  test('of runs that end before the workload does nothing is said of its end', async () => {
    const { result } = await runWith(() => ({}));
    const half = { ...result, summary: { ...result.summary, rssPeakBytes: result.summary.rssPeakBytes / 2 } };
    const moments = [{ label: 'at the end', rssBytes: 1, places: [] }] as unknown as MomentData[];
    const upTo = 'just before the exit';
    const data = buildPageData([result, half].map((each) => ({ result: each, moments, upTo })));
    expect(data.runs.map((run) => run.moments[0]!.label)).toEqual(Array(2).fill('where it is judged'));
    expect(data.differences[0]!.headline).toContain(' and has, where it is judged, 60.0 KiB (the same)');
    for (const { sentences } of [data.differences[0]!, data.runs[0]!.verdict]) {
      expect(sentences).toContain('Judged just before the exit. The run to its end: --at end.');
    }
    const told = JSON.stringify([data.runs, data.differences, data.metrics.map(({ title }) => title)]);
    expect(told).not.toMatch(/at the end|ends with/i);
  });

  test('of what it is made, with signs', async () => {
    const { result } = await runWith(() => ({}));
    const { summary, run } = result;
    const other = {
      ...result,
      run: { ...run, allocator: 'other' },
      summary: {
        ...summary,
        rssPeakBytes: summary.rssPeakBytes / 2,
        breakdown: { ...summary.breakdown, returnable: 0, cached: 4096 },
      },
    };
    const { headline, sentences } = differenceOf(result, other);
    expect(headline).toBe(
      'other peaks at 30.0 KiB (30.0 KiB, 50.0 % less) and ends with 60.0 KiB (the same), against bump@1.',
    );
    expect(sentences[0]).toContain('−32.0 KiB of returnable memory');
    expect(sentences[0]).toContain('+4.00 KiB of cached memory (free, in caches of threads');
    expect(sentences).toHaveLength(2); // of the same length, the same waiting and none nothing is said
  });
});
