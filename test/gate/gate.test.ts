import { describe, expect, test } from 'vitest';
import { bencherMetrics, githubActionBenchmark } from '../../bench/gate/benchmark-files.ts';
import { checkGate } from '../../bench/gate/check.ts';
import { gateMarkdown, githubAnnotations } from '../../bench/gate/github.ts';
import { junitXml } from '../../bench/gate/junit.ts';
import { runKey } from '../../bench/gate/run-key.ts';
import { gateText } from '../../bench/gate/text.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import type { RunResult, Summary } from '../../bench/run/result.ts';
import { bumpOptions } from '../helpers/bump-run.ts';

const base = await runLockstep(bumpOptions(['m 0 1 100000', 'f 0 1', 'm 0 2 10']));

function changed(summary: Partial<Summary>, run: Partial<RunResult['run']> = {}): RunResult {
  return { ...base, run: { ...base.run, ...run }, summary: { ...base.summary, ...summary } };
}

const statusOf = (gate: ReturnType<typeof checkGate>, metric: string) =>
  gate.checks.find((c) => c.metric === metric)?.status;

describe('gate', () => {
  test('the same results pass with a threshold of 0', () => {
    const gate = checkGate([base], [base]);
    expect(gate.passed).toBe(true);
    expect(new Set(gate.checks.map((c) => c.status))).toEqual(new Set(['ok']));
  });

  test('results of other runs are not compared', () => {
    expect(() => checkGate([base], [changed({}, { workload: 'other' })])).toThrow(
      /^base and head have no run in common: found .*, expected results of the same runs$/,
    );
    expect(checkGate([base], [base, changed({}, { workload: 'other' })]).passed).toBe(true);
  });

  test('one byte more fails, one byte less is an improvement', () => {
    const more = checkGate([base], [changed({ rssPeakBytes: base.summary.rssPeakBytes + 1 })]);
    expect(more.passed).toBe(false);
    expect(statusOf(more, 'rssPeakBytes')).toBe('regressed');
    const less = checkGate([base], [changed({ rssPeakBytes: base.summary.rssPeakBytes - 1 })]);
    expect(less.passed).toBe(true);
    expect(statusOf(less, 'rssPeakBytes')).toBe('improved');
    expect(gateText(less)).toContain('checks, 1 improved');
  });

  test('percent, absolute and limit; later overrides win', () => {
    const head = [changed({ rssPeakBytes: base.summary.rssPeakBytes * 1.05 })];
    expect(checkGate([base], head, { thresholds: { rssPeakBytes: { percent: 5 } } }).passed).toBe(true);
    expect(checkGate([base], head, { thresholds: { rssPeakBytes: { percent: 4 } } }).passed).toBe(false);
    expect(checkGate([base], head, { thresholds: { rssPeakBytes: { absolute: 1e9 } } }).passed).toBe(true);
    const limited = checkGate(undefined, head, { thresholds: { rssPeakBytes: { limit: 1 } } });
    expect(statusOf(limited, 'rssPeakBytes')).toBe('over the limit');
    const overridden = checkGate([base], head, {
      thresholds: { rssPeakBytes: {} },
      overrides: [
        { workload: 'other', thresholds: { rssPeakBytes: {} } },
        { allocator: 'bu*', thresholds: { rssPeakBytes: { percent: 10 } } },
      ],
    });
    expect(overridden.passed).toBe(true);
  });

  test('amounts with units; overrides by the names that are shown, with and without versions; one that is for no run is told', () => {
    const run = { workload: 'traces/app.htb', allocator: 'zendmm@8.2+glibc@2.36', cpus: 1 };
    const head = [changed({ rssPeakBytes: 300 * 2 ** 20 }, run)];
    const checked = (override: object, limit: string | number = '256 MiB') =>
      checkGate(undefined, head, {
        thresholds: { rssPeakBytes: {} },
        overrides: [{ ...override, thresholds: { rssPeakBytes: { limit } } }],
      });
    for (const override of [
      {},
      { workload: 'traces/app' },
      { workload: 'traces/*' },
      { workload: 'traces/app.htb', allocator: 'zendmm+glibc' },
      { allocator: 'zendmm@8.2+*' },
    ]) {
      expect(statusOf(checked(override), 'rssPeakBytes'), JSON.stringify(override)).toBe('over the limit');
      expect(checked(override, '300M').passed).toBe(true);
    }
    const unmatched = checked({ workload: 'app', allocator: 'glibc' });
    expect(unmatched).toMatchObject({
      passed: true,
      unmatched: ["override 1 (workload 'app', allocator 'glibc') matches no run"],
    });
    for (const text of [gateText(unmatched), gateMarkdown(unmatched), githubAnnotations(unmatched)])
      expect(text).toContain('matches no run');
    expect(() => checked({}, '5 parsecs')).toThrow(/rssPeakBytes.limit: found '5 parsecs', expected bytes, as in/);
    expect(() => checkGate([base], [base], { thresholds: { virtualNs: {} } })).toThrow(/nothing is checked/);
  });

  test('what is better when larger regresses when it falls', () => {
    const slow = { ...base, engine: { ...base.engine, replayNs: base.engine.replayNs * 2 } };
    const config = { thresholds: { engineEventsPerSecond: { percent: 20 } } };
    expect(statusOf(checkGate([base], [slow], config), 'engineEventsPerSecond')).toBe('regressed');
    expect(statusOf(checkGate([slow], [base], config), 'engineEventsPerSecond')).toBe('improved');
  });

  test('a run that is gone fails, a new one does not', () => {
    const other = changed({}, { allocator: 'other@1' });
    expect(checkGate([base, other], [base]).passed).toBe(false);
    expect(checkGate([base], [base, other]).passed).toBe(true);
  });

  test('an abort that was not there before fails', () => {
    const head = { ...base, abort: { event: 2, message: 'free(): invalid pointer' } };
    const gate = checkGate([base], [head]);
    expect(gate.passed).toBe(false);
    expect(gateText(gate)).toContain('free(): invalid pointer');
  });

  test('ranges of several seeds that overlap are no regression', () => {
    const seeds = (peaks: readonly number[]) => peaks.map((rssPeakBytes, seed) => changed({ rssPeakBytes }, { seed }));
    expect(checkGate(seeds([100, 110, 120]), seeds([115, 118, 130])).passed).toBe(true);
    expect(checkGate(seeds([100, 110, 120]), seeds([125, 128, 130])).passed).toBe(false);
  });

  test('an interrupted run and a run given twice are refused', () => {
    expect(() => checkGate([base], [{ ...base, partial: true }])).toThrow(/interrupted run/);
    expect(() => checkGate([base, base], [base])).toThrow(/two results of one run/);
  });

  test('JUnit: one case a check, failures counted, names escaped', () => {
    const gate = checkGate([base], [changed({ rssPeakBytes: 1e9 }, { workload: 'test' })]);
    const xml = junitXml(gate);
    expect(xml).toContain(`tests="${gate.checks.length}" failures="1"`);
    expect(xml).toContain('<failure message="rssPeakBytes went from');
    expect(junitXml(checkGate([], [changed({}, { workload: 'a<b>&"c"' })]))).toContain('a&lt;b&gt;&amp;&quot;c&quot;');
  });

  test('GitHub: an error a failing check on one line, a table in the summary', () => {
    const gate = checkGate([base], [changed({ rssPeakBytes: 1e9 })]);
    const annotations = githubAnnotations(gate);
    expect(annotations.trim().split('\n')).toHaveLength(1);
    expect(annotations).toMatch(
      /^::error title=test \/ bump@1 \/ lockstep%2C 1 cpus::rssPeakBytes went from .* %25\), allowed 0 B\n$/,
    );
    expect(gateMarkdown(gate)).toContain('| rssPeakBytes |');
    expect(githubAnnotations(checkGate([base], [base]))).toMatch(/^::notice/);
  });

  /** https://bencher.dev/bmf.json, and the lengths of its reference; extractCustomBenchmarkResult of the action. */
  test('benchmark files are as their readers publish it', () => {
    const results = [changed({ rssPeakBytes: 5 }), changed({ rssPeakBytes: 7 }, { seed: 1 })];
    for (const [name, measures] of Object.entries<Record<string, object>>(JSON.parse(bencherMetrics(results)))) {
      expect(name.length).toBeLessThanOrEqual(1024);
      for (const [measure, metric] of Object.entries(measures)) {
        expect(measure.length).toBeLessThanOrEqual(64);
        expect(Object.keys(metric)).toContain('value');
        for (const [key, value] of Object.entries(metric)) {
          expect(['value', 'lower_value', 'upper_value']).toContain(key);
          expect(typeof value).toBe('number');
        }
      }
    }
    for (const entry of JSON.parse(githubActionBenchmark(results))) {
      expect(entry).toMatchObject({ name: expect.any(String), unit: expect.any(String), value: expect.any(Number) });
      expect(entry.unit).not.toBe('');
      for (const key of Object.keys(entry)) expect(['name', 'unit', 'value', 'range', 'extra']).toContain(key);
      for (const key of ['range', 'extra']) expect(['string', 'undefined']).toContain(typeof entry[key]);
    }
  });

  test('benchmark files name a run in one line, and the moment that it is of', () => {
    const results = [changed({}, { workload: 'a\n::error::b', until: 'judged' })];
    const entries: { name: string; extra: string }[] = JSON.parse(githubActionBenchmark(results));
    const names = [...entries.map((e) => e.name), ...Object.keys(JSON.parse(bencherMetrics(results)))];
    for (const name of names) expect(name).toMatch(/^a\\x0a::error::b/);
    expect(entries.find((e) => e.name.endsWith('/ rssBytes'))!.extra).toBe('resident where it is judged');
    const [atEnd] = JSON.parse(githubActionBenchmark([changed({})])).filter((e: { name: string }) =>
      e.name.endsWith('/ rssBytes'),
    );
    expect(atEnd.extra).toBe('resident at the end');
  });

  test('names are short: what is at its default is not said, and what is not is', () => {
    const { run } = changed({}, {});
    expect(runKey({ ...run, workload: 'traces/upload.htrace.gz' })).toMatch(/^traces\/upload \/ /);
    const rows = { ...run, workload: 'rows', parameters: { threads: 8, rounds: 2000, seed: 5 } };
    expect(runKey(rows)).toBe(`rows:threads=8 / ${run.allocator} / lockstep, ${run.cpus} cpus`);
    expect(runKey({ ...rows, touch: 'first', kernel: '6.1' })).toContain(', touch first, kernel 6.1');
    expect(runKey({ ...rows, mode: 'virtual', pace: 'recorded' })).toContain('virtual, 1 cpus, recorded');
  });

  test('benchmark files keep allocators apart, and each figure with its own run', () => {
    const allocators = ['glibc@2.36', 'glibc@2.36:arena_max=2', 'jemalloc@5.3.0', 'zendmm@8.2+glibc@2.36'];
    const results = allocators.flatMap((allocator, i) =>
      [1, 2].map((cpus) => changed({ rssPeakBytes: 1000 * i + cpus }, { allocator, cpus })),
    );
    const entries: { name: string; value: number }[] = JSON.parse(githubActionBenchmark(results));
    expect(new Set(entries.map((e) => e.name)).size).toBe(entries.length);
    const bencher: Record<string, Record<string, { value: number }>> = JSON.parse(bencherMetrics(results));
    expect(Object.keys(bencher)).toHaveLength(results.length);
    for (const [i, allocator] of allocators.entries()) {
      for (const cpus of [1, 2]) {
        const run = `test / ${allocator} / lockstep, ${cpus} cpus`;
        expect(entries.find((e) => e.name === `${run} / rssPeakBytes`)?.value).toBe(1000 * i + cpus);
        expect(bencher[run]!['rssPeakBytes']!.value).toBe(1000 * i + cpus);
      }
    }
  });
});
