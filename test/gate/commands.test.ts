import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { comparisonSchema } from '../../bench/schema/comparison.ts';
import { explanationSchema } from '../../bench/schema/explanation.ts';
import { suiteResultSchema } from '../../bench/schema/gate.ts';
import { runTask } from '../../bench/study/parallel/run-task.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { command } from '../helpers/command.ts';
import { requireThat } from '../helpers/require.ts';

const SAMPLE = fileURLToPath(new URL('../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));
const STRESS = 'stress:profile=mix,events=2000';
const folder = mkdtempSync(join(tmpdir(), 'allocsim-gate-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

describe('commands', { timeout: 180_000 }, () => {
  beforeEach((context) => requireThat(context, CLI_BUILT, 'needs the built commands: npm run build'));

  test('gate: 0 for the same, 1 for one page more, 2 for what cannot be read, in one line', async () => {
    const made = await command([
      'run',
      SAMPLE,
      '--mode=lockstep',
      '--cpus=4',
      '--quiet',
      `--json=${path('base.json')}`,
    ]);
    expect(made).toMatchObject({ status: 0, stdout: '' });
    expect((await command(['gate', path('base.json'), path('base.json')])).status).toBe(0);

    const head = JSON.parse(readFileSync(path('base.json'), 'utf8'));
    head.summary.rssPeakBytes += 4096;
    writeFileSync(path('head.json'), JSON.stringify(head));
    const worse = await command(
      ['gate', path('base.json'), path('head.json'), `--junit=${path('gate.xml')}`, '--github'],
      {
        GITHUB_STEP_SUMMARY: path('summary.md'),
      },
    );
    expect(worse.status).toBe(1);
    expect(worse.stdout).toContain('+4.00 KiB');
    expect(worse.stdout).toContain('::error title=');
    expect(readFileSync(path('gate.xml'), 'utf8')).toContain('failures="1"');
    expect(readFileSync(path('summary.md'), 'utf8')).toContain('### Memory gate: failed');

    writeFileSync(path('config.json'), '{"thresholds":{"rssPeakBytes":{"absolute":4096}}}');
    expect(
      (await command(['gate', path('base.json'), path('head.json'), `--config=${path('config.json')}`])).status,
    ).toBe(0);

    writeFileSync(path('broken.json'), '{"schema":"allocsim-result-1","run":{}}');
    writeFileSync(path('typo.json'), '{"thresholds":{"rssPeekBytes":{}}}');
    writeFileSync(path('unit.json'), '{"thresholds":{"faults":{"limit":"5 MiB"}}}');
    writeFileSync(path('nothing.json'), '{"thresholds":{}}');
    writeFileSync(path('none-cpus.json'), JSON.stringify({ workloads: ['rows'], allocators: ['glibc'], cpus: [0] }));
    for (const [args, message] of [
      [['gate', path('base.json'), path('none.json')], /none\.json: found no such file, expected a JSON file/],
      [['gate', path('base.json'), path('broken.json')], /broken\.json: run\.workload: found nothing, expected a text/],
      [
        ['gate', path('base.json'), path('base.json'), `--config=${path('typo.json')}`],
        /typo\.json: thresholds: found 'rssPeekBytes', expected 'rssPeakBytes'/,
      ],
      [
        ['gate', path('base.json'), path('base.json'), `--config=${path('unit.json')}`],
        /thresholds\.faults\.limit: found '5 MiB', expected a number/,
      ],
      [['gate', path('base.json'), path('base.json'), `--config=${path('nothing.json')}`], /nothing is checked/],
      [['gate', path('base.json')], /expected BASE and HEAD, or --suite/],
      [['gate', `--suite=${path('none-cpus.json')}`], /cpus\.0: found 0, expected more than 0/],
    ] as const) {
      const { status, stdout, stderr } = await command(args);
      expect(status).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
  });

  test('a suite: saved, run again, the same; every output file', async () => {
    writeFileSync(path('small.htrace'), '%htrace 1\nm 0 1 5000\nm 1 2 70000\nf 1 1\n= idle\n');
    writeFileSync(
      path('suite.json'),
      JSON.stringify({
        workloads: ['rows:threads=2,rounds=40', 'small.htrace'],
        allocators: ['glibc@2.36', 'jemalloc'],
        modes: ['lockstep', 'virtual'],
        cpus: [2],
      }),
    );
    const made = await command(['gate', `--suite=${path('suite.json')}`, `--save=${path('suite-base.json')}`]);
    expect(made.status, made.stderr).toBe(0);
    const saved = JSON.parse(readFileSync(path('suite-base.json'), 'utf8'));
    expect(suiteResultSchema.parse(saved).runs).toHaveLength(8);

    const again = await command([
      'gate',
      path('suite-base.json'),
      `--suite=${path('suite.json')}`,
      `--benchmark-action=${path('action.json')}`,
      `--bencher=${path('bencher.json')}`,
      `--markdown=${path('gate.md')}`,
      '--json',
    ]);
    expect(again.status, again.stderr).toBe(0);
    const gate = JSON.parse(again.stdout);
    expect(new Set(gate.checks.map((c: { status: string }) => c.status))).toEqual(new Set(['ok']));
    // Each run keeps a series of its own, and its own figures.
    const bencher = JSON.parse(readFileSync(path('bencher.json'), 'utf8'));
    expect(Object.keys(bencher)).toHaveLength(8);
    for (const run of saved.runs) {
      const key = Object.keys(bencher).find(
        (k) =>
          k.startsWith(run.run.workload.replace('.htrace', '')) &&
          k.includes(` / ${run.run.allocator} / `) &&
          k.includes(` / ${run.run.mode}, `),
      )!;
      expect(bencher[key].rssPeakBytes.value).toBe(run.summary.rssPeakBytes);
    }
    const names = JSON.parse(readFileSync(path('action.json'), 'utf8')).map((e: { name: string }) => e.name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('a base that does not exist is a first result', async () => {
    const { status, stdout, stderr } = await command([
      'gate',
      path('no-such-base.json'),
      `--suite=${path('suite.json')}`,
      '--json',
    ]);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('a first result');
    expect(JSON.parse(stdout)).toMatchObject({ first: true, passed: true });
    writeFileSync(path('broken.json'), '{');
    expect((await command(['gate', path('broken.json'), `--suite=${path('suite.json')}`])).status).toBe(2);
  });

  test('compare in workers gives what a run alone gives', async () => {
    const { status, stdout, stderr } = await command([
      'compare',
      STRESS,
      '--allocators=glibc@2.36,glibc@2.36:mmap_threshold=131072',
      '--cpus=4',
      '--seeds=2',
      '--workers=2',
      '--json',
    ]);
    expect(status, stderr).toBe(0);
    const comparison = comparisonSchema.parse(JSON.parse(stdout));
    expect(comparison.runs.map((column) => column.length)).toEqual([2, 2]);
    for (const column of comparison.runs) {
      for (const run of column) {
        const { name, events, parameters } = await resolveWorkload(STRESS, { seed: run.run.seed });
        const alone = await runTask({
          events,
          workload: name,
          parameters,
          allocator: run.run.allocator,
          cpus: 4,
          mode: 'virtual',
          pace: 'asap',
          timeReason: 'the workload says so',
          seed: run.run.seed,
        });
        const { engine: _, ...expected } = JSON.parse(JSON.stringify(alone.result));
        const { engine: __, ...found } = run;
        expect(found).toEqual(expected);
      }
    }
  });

  test('explain: the verdict to people, everything to programs', async () => {
    const text = await command(['explain', SAMPLE, '--allocator=glibc@2.36', '--no-what-if']);
    expect(text.status, text.stderr).toBe(0);
    expect(text.stdout).toContain('Where the resident bytes are');
    const json = await command(['explain', SAMPLE, '--allocator=glibc@2.36', '--no-what-if', '--json']);
    expect(() => explanationSchema.parse(JSON.parse(json.stdout))).not.toThrow();
    expect((await command(['explain', SAMPLE, '--at=nowhere'])).status).toBe(2);
  });

  test('a report, figures and a plot from one run', async () => {
    const { status, stdout, stderr } = await command([
      'run',
      SAMPLE,
      `--report=${path('run.html')}`,
      `--svg=${path('figures')}`,
      '--plot',
    ]);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/┤.*[\u2801-\u28ff]/u);
    expect(readFileSync(path('run.html')).length).toBeLessThan(2_000_000);
    expect(readFileSync(join(path('figures'), 'resident.svg'), 'utf8')).toContain('<svg');
  });
});
