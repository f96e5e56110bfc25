import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { csvField, jsonText } from '../../sim/contract/escape.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const TRACE = 'workloads/samples/lanczos-3-sizes.htrace.gz';
const SMALL = 'rows:threads=2,rounds=20';

/** Every command that shows a table. Of `bench` and `verify` the figures are another each time. */
const COMMANDS: readonly (readonly [name: string, args: readonly string[], head: RegExp])[] = [
  ['list', ['list'], /^table,row,figure,value\nworkloads,lanczos-32t,about,/],
  ['list of one kind', ['list', 'scenarios'], /^table,row,figure,value\nscenarios,shared-memory,shows,/],
  ['trace info', ['trace', 'info', TRACE], /\nsizes,3,blocks,63\n/],
  ['trace check', ['trace', 'check', TRACE], /^kind,line,column,rule,text\n$/],
  ['run', ['run', SMALL], /^label,event,virtualNs,rssBytes,/],
  ['run, several numbers of threads', ['run', SMALL, '--threads=1,2'], /^threads,/],
  ['compare', ['compare', SMALL, '--allocators=glibc,jemalloc'], /^metric,unit,allocator,seed,value\n/],
  ['sweep', ['sweep', SMALL, '--grid=arena_max=1,2'], /^allocator,/],
  ['tune', ['tune', SMALL, '--budget=4', '--options=arena_max'], /^allocator,/],
  ['plan', ['plan', SMALL], /^allocator,/],
  ['explain', ['explain', TRACE, '--no-what-if'], /\nresident,all,breakdown.returnable,\d+\n/],
  ['machine', ['machine', 'shared-memory'], /^step,seconds,command,label,/],
];

describe.runIf(CLI_BUILT)('an answer as data', () => {
  test.each(COMMANDS)(
    '%s: to a file, and to standard output with nothing else',
    { timeout: 60_000 },
    async (_, args, head) => {
      const folder = temporaryFolder();
      const [json, csv] = [join(folder, 'a.json'), join(folder, 'a.csv')];
      const shown = await command([...args, '--json', `--csv=${csv}`]);
      expect(shown.status, shown.stderr).toBe(0);
      const table = await command([...args, '--csv', `--json=${json}`]);
      expect(table.stdout).toMatch(head);
      expect(steadyLines(table.stdout)).toEqual(steadyLines(readFileSync(csv, 'utf8')));
      expect(steady(shown.stdout)).toEqual(steady(readFileSync(json, 'utf8')));
    },
  );

  test('gate, of two files', { timeout: 60_000 }, async () => {
    const base = join(temporaryFolder(), 'base.json');
    await command(['run', SMALL, '--quiet', `--json=${base}`]);
    const { status, stdout } = await command(['gate', base, base, '--csv']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^run,workload,allocator,metric,unit,base,head,change,allowed,limit,status\n/);
    expect(stdout.split('\n').filter((line) => line.endsWith(',ok')).length).toBeGreaterThan(4);
    expect(JSON.parse((await command(['gate', base, base, '--json'])).stdout)).toMatchObject({ passed: true });
  });

  test('trace check names what is wrong in both; inspect has a text, in JSON too', { timeout: 60_000 }, async () => {
    const path = join(temporaryFolder(), 'bad.htrace');
    writeFileSync(path, '%htrace 1\nm 0 1 5\nf 0 2\nte 0\n');
    const table = await command(['trace', 'check', path, '--csv']);
    expect(table.status).toBe(1);
    expect(table.stdout).toMatch(/\nviolation,3,5,object-dead,.*\nnote,4,,,/);
    const { views } = JSON.parse((await command(['inspect', 'pmap', TRACE, '--json'])).stdout);
    expect(views[0].text).toBe((await command(['inspect', 'pmap', TRACE])).stdout);
    expect(views[0].text).not.toBe('');
  });
});

/** Without the simulator's own speed, which differs from run to run. */
const steady = (json: string): unknown =>
  JSON.parse(json, (key, value) => (key === 'engine' || /^engine/.test(value?.metric) ? undefined : value));
const steadyLines = (csv: string) => csv.split('\n').filter((line) => !line.startsWith('engine'));

test('no line of data is an order for the runner of a CI system, and JSON says the same', () => {
  const name = '##[error]x\n::error::y';
  expect(jsonText({ [name]: name }, 2)).not.toContain('##[');
  expect(JSON.parse(jsonText({ [name]: name }))).toEqual({ [name]: name });
  expect(csvField(name)).toBe('##\\x5berror]x\\x0a::error::y');
  expect(csvField('::error::y')).toBe('"::error::y"');
  expect(csvField(' ::error::y')).toBe('" ::error::y"');
});
