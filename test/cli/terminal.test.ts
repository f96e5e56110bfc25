import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completionScript } from '../../bench/cli/completion.ts';
import { withConfig } from '../../bench/cli/config-file.ts';
import { type DescribedCommand, describeCommands } from '../../bench/cli/describe.ts';
import { manualPage } from '../../bench/cli/manual.ts';
import { COMMANDS } from '../../bench/commands/index.ts';
import { columnBlocks, fitWidth, fold } from '../../bench/report/text/fold.ts';
import { command } from '../helpers/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'allocsim-cli-'));
let commands: DescribedCommand[];

beforeAll(async () => {
  commands = await describeCommands(COMMANDS);
});
afterAll(() => rmSync(folder, { recursive: true }));

const sim = (args: readonly string[], environment?: Readonly<Record<string, string>>) =>
  command(args, environment, folder);

const ROWS = 'rows:threads=2,rounds=20';
const SAMPLE = fileURLToPath(new URL('../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));
const RECORDED = fileURLToPath(new URL('../fixtures/explain/shop.htrace.gz', import.meta.url));
/** A figure, or two, and nothing else. */
const ALONE = /^ +([−+×-]?[\d.,]+( ([KMGT]?i?B|ns|µs|ms|s|%))?\s*){1,2}$/;

describe('terminal', () => {
  test.each([
    [['run', 'rows', '-a', 'tcmalloc'], "'tcmalloc' is not modelled, expected one of glibc, jemalloc, zendmm"],
    [['run', 'rows', '-a', 'ptmalloc'], "did you mean 'glibc'?"],
    [['--versoin'], 'did you mean --version?'],
    [['list', 'foo'], 'expected one of workloads, allocators, options'],
    [['list', 'workload'], "did you mean 'workloads'?"],
    [['rnu', 'rows'], "did you mean 'sim run'?"],
    [['trace', 'cnvert', 'a', 'b'], "unknown command 'trace cnvert', did you mean 'convert'?"],
    [['trace', 'zzz'], "unknown command 'trace zzz', expected one of check, info, convert"],
    [['run', 'jemalloc'], "found the allocator 'jemalloc' for a workload, expected it behind -a"],
    [
      ['compare', 'rows', '--allocators', 'glibc', 'jemalloc'],
      'expected commas between them: --allocators glibc,jemalloc',
    ],
    [['run', 'mimalloc'], "'mimalloc' is not modelled, expected one of glibc, jemalloc, zendmm"],
    [['compare', 'glibc:arena_max=1', '--allocators', 'glibc'], "found the allocator 'glibc' for a workload"],
    [['run', 'rows', '--alocator', 'x'], 'did you mean --allocator?'],
    [['completion', 'tcsh'], 'expected one of bash, zsh, fish\n'],
    [['record', '--out', 'a.htb', '--', 'true'], 'did you mean --output?'],
    [
      ['compare', 'old.htb', 'new 1.htb', '--allocators', 'glibc'],
      "one workload, found 'new 1.htb' too; what differs between two, by call site: sim explain old.htb --collapsed FILE, then sim explain 'new 1.htb' --diff FILE",
    ],
    [['some.htrace'], 'sim run some.htrace'],
    [['compare', 'rows'], 'for example: sim compare trace.htrace.gz --allocators glibc,jemalloc'],
  ])('%j is told what may be meant', async (args, message) => {
    const { status, stderr } = await sim(args);
    expect(status).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
  });

  test('a figure and its unit stay on one line', () => {
    const text = '116.1 MiB of 121.7 MiB resident (95.4 %) are what it holds, after 12 ms, and 4 B';
    for (let width = 20; width < 80; width++) {
      const lines = fold(text, width);
      expect(lines.join(' ')).toBe(text);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.slice(1).filter((line) => /^(%|MiB|ms|B)/.test(line))).toEqual([]);
    }
  });

  test('an option of which half of the letters are others is not meant', async () => {
    expect((await sim(['calibrate', '--foo'])).stderr).toBe('sim: unknown argument: foo\n');
  });

  test('an example can be copied: it is one line of 80 columns', async () => {
    for (const name of ['sweep', 'tune', 'plan', 'gate', 'worker', 'completion']) {
      const { stdout } = await sim([name, '--help'], { COLUMNS: '80' });
      const lines = stdout.slice(stdout.indexOf('Examples:')).trim().split('\n').slice(1);
      expect(lines.length, name).toBeGreaterThan(0);
      for (const line of lines) expect(line).toMatch(/^ {2}(sim|source) /);
    }
  });

  test('help COMMAND is COMMAND --help', async () => {
    const { stdout } = await sim(['help', 'run']);
    expect(stdout).toContain('sim run <workload>');
    expect(stdout).toBe((await sim(['run', '--help'])).stdout);
    expect((await sim(['help'])).stdout).toContain('Commands');
    expect((await sim(['trace', 'help', 'cut'])).stdout).toBe((await sim(['trace', 'cut', '--help'])).stdout);
  });

  /** What of an output does not fit. */
  async function tooWide(args: readonly string[], width: number): Promise<string[]> {
    const { status, stdout, stderr } = await sim(args, { COLUMNS: `${width}` });
    expect(status, stderr).toBe(0);
    expect(stdout).not.toBe('');
    const lines = stdout.split('\n');
    // A word that is longer than a line stays whole, what is to be pasted too, and rows of perf are perf's.
    const isWhole = (line: string) =>
      !/ \S+ \S/.test(line.trim()) || /^ *[\w ]*[A-Z_]+=\S/.test(line) || / # /.test(line);
    const long = lines.filter((line) => line.length > width && !isWhole(line));
    if (args.length === 1) return long; // lists are prose
    // A row of a table is not broken: its last figure would stand alone.
    return [...long, ...lines.filter((line, i) => ALONE.test(line) && /\S {2,}\S.* {2,}\S/.test(lines[i - 1] ?? ''))];
  }

  test.each([
    [['--help']],
    [['list']],
    [['run', ROWS]],
    [['run', ROWS, '--plot']],
    [['run', ROWS, '--tlb', 'zen3']],
    [['run', ROWS, '--threads', '1,2']],
    [['run', 'php-pool:requests=2', '-a', 'zendmm@8.2']],
    [['run', SAMPLE]],
    [['run', RECORDED, '--sites']],
    [['compare', ROWS, '--allocators', 'glibc,jemalloc,glibc:arena_max=1', '--seeds', '2']],
    [['compare', RECORDED, '--allocators', 'glibc,jemalloc', '--sites']],
    [['explain', SAMPLE]],
    [['explain', SAMPLE, '--areas', '-a', 'jemalloc', '--no-what-if']],
    [['explain', RECORDED]],
    [['sweep', ROWS, '--cpus', '1,2']],
    [['tune', ROWS, '--budget', '12']],
    [['plan', ROWS]],
    [['trace', 'info', RECORDED]],
  ])('60 columns are enough for %j', async (args) => {
    expect(await tooWide(args, 60)).toEqual([]);
  });

  test('60 columns are enough for the help of every command', async () => {
    for (const { name } of commands) expect(await tooWide([...name.split(' '), '--help'], 60), name).toEqual([]);
  });

  test.each([[['--help']], [['run', '--help']], [['list']], [['run', ROWS]], [['explain', SAMPLE]]])(
    '80 columns are enough for %j',
    async (args) => {
      expect(await tooWide(args, 80)).toEqual([]);
    },
  );

  test('a line is broken after words, and goes on below its last column', () => {
    expect(fold('one two three', 8, '  ')).toEqual(['one two', '  three']);
    expect(fold('aaa,bbb,ccc', 100)).toEqual(['aaa,bbb,ccc']);
    expect(fitWidth('  name    a text that is longer', 20)).toBe(
      '  name    a text\n          that is\n          longer',
    );
    const words = 'some words of different lengths, and punctuation/slashes+plus';
    expect(fold(words, 10).join(' ').split(/\s+/).join('')).toBe(words.replaceAll(' ', ''));
  });

  test('a table in blocks is as wide as the terminal: long names of rows go on below', () => {
    const name = 'gc.freeze() and less written to what is shared';
    const rows = [
      ['', 'outcome', 'left'],
      [name, 'climbs', '40.1 MiB, 1.3 %'],
      ['10 workers', 'holds', '1020.6 MiB, 33.2 %'],
    ];
    expect(columnBlocks(rows, 60)).toEqual([
      '                                outcome                left',
      '  gc.freeze() and less written   climbs     40.1 MiB, 1.3 %',
      '    to what is shared',
      '  10 workers                      holds  1020.6 MiB, 33.2 %',
    ]);
    expect(columnBlocks(rows, 80).join('\n')).toContain(`${name}   climbs`);
  });

  test('what sets an environment variable is not broken: pasted in two lines it sets something else', () => {
    const set = 'GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1048576:glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0';
    const conf = `MALLOC_CONF=${Array.from({ length: 9 }, (_, i) => `dirty_decay_ms:${i}`).join(',')}`;
    for (const line of [`  export ${set}`, `  ENV ${set}`, `    ${set}`, `  export ${conf}`, `  Environment=${conf}`]) {
      expect(fitWidth(line, 80)).toBe(line);
    }
    const shell = fitWidth(`  export ${set}`, 80);
    expect(execFileSync('sh', ['-c', `${shell}\nenv`], { encoding: 'utf8' })).toContain(set);
  });

  test('bash completes commands, options, values, workloads', async () => {
    const script = completionScript('bash', commands);
    const complete = (...words: string[]) => {
      const line = words.map((w) => `'${w}'`).join(' ');
      const body = `${script}\nCOMP_WORDS=(sim ${line}); COMP_CWORD=${words.length}; _allocsim; echo "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', body], { encoding: 'utf8', cwd: folder }).trim().split(' ');
    };
    expect(complete('co')).toEqual(['compare', 'completion']);
    expect(complete('run', 'lanc')).toEqual(['lanczos-32t', 'lanczos-im6']);
    expect(complete('run', 'rows', '--mode', 'v')).toEqual(['virtual']);
    expect(complete('run', '-a', 'j')).toEqual(['jemalloc']);
    expect(complete('trace', 'ch')).toEqual(['check']);
    expect(complete('list', 'o')).toEqual(['options']);
    expect(complete('inspect', 'malloc_i')).toEqual(['malloc_info']);
    expect(complete('machine', 'opc')).toEqual(['opcache-pool']);
    writeFileSync(join(folder, 'own.htb'), '');
    expect(complete('run', 'ow')).toEqual(['own.htb']);
    expect(complete('run', 'rows', '--report', 'ow')).toEqual(['own.htb']);
    expect(complete('list', 'ow')).toEqual(['']);
    rmSync(join(folder, 'own.htb'));
    expect((await sim(['completion', 'bash'])).stdout).toBe(script);
  });

  test.each(['zsh', 'fish'] as const)('%s knows every command, and takes the script', (shell) => {
    const script = completionScript(shell, commands);
    for (const { name } of commands) expect(script).toContain(name.split(' ').at(-1));
    if (spawnSync(shell, ['-c', 'true']).status !== 0) {
      process.stderr.write(`SKIPPED: the completion script is not read by ${shell}, which is not installed\n`);
      return;
    }
    const file = join(folder, `completion.${shell}`);
    writeFileSync(file, script);
    expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    if (shell === 'fish') {
      const complete = (line: string) =>
        execFileSync('fish', ['-c', `source ${file}; complete -C '${line}'`], { encoding: 'utf8', cwd: folder })
          .split('\n')
          .filter((offer) => offer !== '')
          .map((offer) => offer.split('\t')[0]);
      expect(complete('sim trace co')).toEqual(['convert']);
      expect(complete('sim trace convert ch')).not.toContain('check');
      expect(complete('sim run x --mode lo')).toEqual(['lockstep']);
      expect(complete('sim inspect malloc_i')).toEqual(['malloc_info']);
    }
    rmSync(file);
  });

  test('the manual has every command and every option', () => {
    const page = manualPage(commands, { version: '1', about: 'about', epilogue: 'codes' });
    for (const { usage, options } of commands) {
      expect(page).toContain(usage.replace(/-/g, '\\-'));
      for (const { name } of options) expect(page).toContain(`\\-\\-${name.replace(/-/g, '\\-')}`);
    }
    expect(page).not.toMatch(/^\.(?!TH|SH|SS|TP|B |I )/m);
  });

  test('a config file gives what is not given, and is checked', async () => {
    const file = join(folder, 'allocsim.json');
    const apply = (given: string[], config: unknown) => {
      writeFileSync(file, JSON.stringify(config));
      return withConfig(given, async () => commands, file);
    };
    const config = { '*': { seed: 3, kernel: '6.1' }, run: { kernel: '6.18', quiet: true } };
    expect(await apply(['run', 'rows'], config)).toEqual(['run', 'rows', '--seed=3', '--kernel=6.18', '--quiet']);
    expect(await apply(['run', 'rows', '--seed', '1'], config)).toEqual(
      expect.arrayContaining(['--seed', '1', '--kernel=6.18']),
    );
    expect(await apply(['list'], config)).toEqual(['list']);
    expect(await apply(['run', 'x', '-a', 'jemalloc'], { run: { allocator: 'glibc' } })).not.toContain(
      '--allocator=glibc',
    );
    await expect(apply(['run', 'x'], { run: { kernl: '6.1' } })).rejects.toThrow(/run has no option 'kernl'/);
    await expect(apply(['run', 'x'], { rnu: {} })).rejects.toThrow(/found 'rnu'/);
    await expect(apply(['run', 'x'], [1])).rejects.toThrow(/expected \{"COMMAND"/);
    expect(await apply(['run', '--help'], [1])).toEqual(['run', '--help']);
    expect(await apply(['--version'], [1])).toEqual(['--version']);
    await expect(apply(['record', '--', 'ls', '--help'], [1])).rejects.toThrow(/expected/);
    rmSync(file);
  });
});
