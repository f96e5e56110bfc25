import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CLI_BUILT, sim } from '../helpers/cli.ts';
import { requireThat } from '../helpers/require.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** A recorded program that holds 40 blocks between 40 that it has freed, works on, and frees all of them as it ends. */
const BLOCKS = Array.from({ length: 80 }, (_, i) => `m 0 ${i} 100000`);
const HALF = Array.from({ length: 40 }, (_, i) => `f 0 ${2 * i}`);
const REST = Array.from({ length: 40 }, (_, i) => `f 0 ${2 * i + 1}`);
const LINES = [
  '%htrace 2',
  '%source recorded with LD_PRELOAD, linux x64',
  ...BLOCKS,
  ...HALF,
  'm 0 99 8',
  'exit 0',
  ...REST,
];
/** Events up to the exit. */
const LIVING = 121;

test('every command that judges a moment judges a recording at the same one', (context) => {
  requireThat(context, CLI_BUILT, 'needs npm run build');
  const trace = `${temporaryFolder()}/a.htrace`;
  writeFileSync(trace, `${LINES.join('\n')}\n`);
  const told = (args: readonly string[]) => JSON.parse(sim([...args, '--json', '-']).stdout);

  const explained = told(['explain', trace]);
  expect(explained.event).toBe(LIVING);

  const search = ['--minimize', 'rssBytes', '--options', 'mmap_threshold', '--budget', '20'];
  const anyCost = ['virtualNs', 'cpuNs', 'syscalls', 'faults'].flatMap((name) => ['--keep', `${name}=any`]);
  const tuned = told(['tune', trace, ...search, ...anyCost]);
  expect(tuned.moment).toMatchObject({
    event: LIVING,
    about: expect.stringContaining('before the program began to exit'),
  });
  expect(tuned.from.value).toBe(explained.sample.rssBytes);
  expect(tuned.best.value).toBeLessThan(tuned.from.value / 1.5);

  const compare = ['compare', trace, '--allocators', 'glibc,glibc:mmap_threshold=65536'];
  const [atEnd, judged] = [told([...compare, '--at', 'end']), told(compare)];
  expect(atEnd).toMatchObject({ moment: null, until: null });
  expect(told([...compare, '--at', 'judged'])).toMatchObject({ moment: judged.moment, until: 'judged' });
  expect(told(['explain', trace, '--at', 'judged']).event).toBe(LIVING);
  expect(judged.moment).toEqual(tuned.moment);
  expect(judged.runs[0][0].summary.rssBytes).toBe(explained.sample.rssBytes);
  expect(atEnd.runs[0][0].summary.rssBytes).toBeLessThan(explained.sample.rssBytes);
  expect(told([...compare, '--at', '#79']).moment.event).toBe(80);
  expect(sim(compare).stdout).toMatch(/B needs least memory where it is judged: .*The run to its end: --at end\./s);
  expect(sim([...compare, '--at', 'peak']).stdout).toMatch(/needs? (least|less) memory at peak/);
  expect(sim([...compare, '--at', 'nowhere'])).toMatchObject({ status: 2 });

  const sweep = ['sweep', trace, '--allocators', 'glibc', '--grid', 'mmap_threshold=65536,131072'];
  const swept = told(sweep);
  expect(swept.moment).toEqual(tuned.moment);
  const rssOf = (result: typeof swept) => result.points.map((p: typeof swept) => p.figures.rssBytes.median);
  expect(Math.max(...rssOf(swept))).toBe(explained.sample.rssBytes);
  const sweptToEnd = told([...sweep, '--at', 'end']);
  expect(sweptToEnd.moment).toBeNull();
  expect(Math.max(...rssOf(sweptToEnd))).toBeLessThan(explained.sample.rssBytes);
  expect(sim(sweep).stdout).toMatch(/Every figure is up to the moment .* The run to its end: --at end\./s);
  expect(sim([...sweep, '--at', 'nowhere'])).toMatchObject({ status: 2 });
});

test('inspect and a suite of the gate take the moments that explain takes', (context) => {
  requireThat(context, CLI_BUILT, 'needs npm run build');
  const folder = temporaryFolder();
  const trace = `${folder}/a.htrace`;
  writeFileSync(trace, `${LINES.join('\n')}\n`);
  const inUse = (...at: string[]) =>
    Number(/in use bytes +=? *(\d+)/.exec(sim(['inspect', 'malloc_stats', trace, ...at]).stdout)![1]);
  expect(inUse('--at', 'judged')).toBeGreaterThan(4_000_000);
  expect(inUse()).toBeLessThan(100_000);

  const results = (suite: object) => {
    writeFileSync(`${folder}/suite.json`, JSON.stringify({ workloads: ['a.htrace'], allocators: ['glibc'], ...suite }));
    sim(['gate', '--suite', `${folder}/suite.json`, '--save', `${folder}/base.json`]);
    return JSON.parse(readFileSync(`${folder}/base.json`, 'utf8')).runs[0];
  };
  expect(results({}).run.until).toBe('judged');
  expect(results({}).summary.requestedBytes).toBeGreaterThan(4_000_000);
  expect(results({ at: 'end' })).toMatchObject({ run: { until: null }, summary: { requestedBytes: 8 } });
});

test('a page of call sites says which moment it is of', (context) => {
  requireThat(context, CLI_BUILT, 'needs npm run build');
  const page = `${temporaryFolder()}/flame.html`;
  const shop = fileURLToPath(new URL('../fixtures/explain/shop.htrace.gz', import.meta.url));
  for (const at of ['peak', 'end']) {
    const { moment } = JSON.parse(
      sim(['explain', shop, '--no-what-if', '--at', at, '--flame', page, '--json', '-']).stdout,
    );
    expect(readFileSync(page, 'utf8')).toContain(`Resident ${moment.about.replaceAll("'", '&#39;')}, in file order.`);
  }
});
