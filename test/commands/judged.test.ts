import { writeFileSync } from 'node:fs';
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

test('tune judges a recording where explain does, compare where it is asked to', (context) => {
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
  const [atEnd, judged] = [told(compare), told([...compare, '--at', 'judged'])];
  expect(atEnd.moment).toBeNull();
  expect(judged.moment).toEqual(tuned.moment);
  expect(judged.runs[0][0].summary.rssBytes).toBe(explained.sample.rssBytes);
  expect(atEnd.runs[0][0].summary.rssBytes).toBeLessThan(explained.sample.rssBytes);
  expect(told([...compare, '--at', '#79']).moment.event).toBe(80);
  expect(sim(compare).stdout).toContain('--at judged compares where');
  expect(sim([...compare, '--at', 'nowhere'])).toMatchObject({ status: 2 });
});
