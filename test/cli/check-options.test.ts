import { describe, expect, test } from 'vitest';
import { runCommandLine } from '../../bench/commands/command-line.ts';
import { UserError } from '../../sim/contract/assert.ts';

const W = 'rows:rounds=1';

describe('what is wrong with options is one line', () => {
  test.each([
    [['run', W, '--seed', '1', '--seed', '2'], /--seed: found 2 of it, expected one/],
    [['plan', W, '--seed', '1e999'], /--seed: found 'Infinity', expected an integer/],
    [['compare', W, '--allocators=glibc', '--seed=9007199254740990', '--seeds=5'], /--seeds: found '5' from 900/],
    [['run', W, '--json', '--json'], /--json: found 2 of it/],
    [['run', W, '-a', 'glibc', '--allocator', 'jemalloc'], /--allocator: found 2 of it/],
    [['run', W, '--quiet=maybe'], /^--quiet: found 'maybe', expected --quiet alone$/],
    [['machine', 'shared-memory', '--json', '--csv=-'], /^--json and --csv cannot all go to standard output$/],
    [['run', W, '--cpus', 'x'], /^--cpus: found 'x', expected a number$/],
    [['run', W, '--cpus'], /^--cpus: found no number, expected a number$/],
    [['run', W, '--seed', '--json'], /^--seed: found no number, expected a number$/],
    [['run', W, '--cpus=x'], /^--cpus: found 'x', expected a number$/],
    [['plan', W, '--memory', '-4G'], /^--memory: found '-4G'/],
    [['explain', W, '--what-iff'], /^unknown argument: what-iff, did you mean --what-if\?$/],
    [['explain', W, '--what-iff', '--foo'], /^unknown arguments: what-iff, foo/],
    [['gate', 'no-base.json', 'no-head.json'], /^no-head\.json: found no such file/],
    [['run', W, '--json=a', '--samples=./a'], /which is the file of json too/],
    [['run', W, '--svg=a.svg', '--json=a.svg'], /which is the file of json too/],
    [['run', W, '--flame=a', '--openmetrics=a'], /--flame: found a, which is the file of openmetrics too/],
    [['run', W, '--json', '--', '--seed=1'], /^unknown argument: \.\/--seed=1/],
    [['run', './a', '--json=a'], /which is the file of workload too/],
    [['run', W, '-a', 'zendmm+zendmm'], /zendmm sits above a system allocator, found 'zendmm' below it/],
    [['run', W, '-a', 'glibc:arena_max=1,arena_max=2'], /'arena_max' of glibc is given twice/],
    [['run', 'rows:threads=1,threads=2'], /found threads twice/],
    [['sweep', W, '--grid', 'arena_max=1', '--grid', 'arena_max=2'], /found arena_max twice/],
    [['compare', W, '--allocators'], /^not enough arguments/],
    [['run', W, '--allocator.a=1'], /^unknown argument: allocator\.a/],
    [['run', W, '--jsno'], /^unknown argument: jsno, did you mean --json\?$/],
    [['record', 'ls', '--foo'], /^record: found '--foo' behind the program and no --, .*: sim record -- ls --foo$/],
    [['record', '-o', 'x.htb', 'ls', '-la'], /found '-la' .*: sim record -o x\.htb -- ls -la$/],
    [['trace', 'record', 'ls', '--foo', 'a b'], /: sim trace record -- ls --foo 'a b'$/],
    [['record', '--jsno', 'ls'], /^unknown argument: jsno, did you mean --json\?$/],
    [['run'], /^run needs a WORKLOAD: a built-in name \(`sim list workloads`\) or a trace file, - for stdin$/],
    [['inspect', 'pmap'], /^inspect needs a WORKLOAD: /],
    [['trace', 'cut', 'x'], /^trace cut needs an OUT: the file to write/],
    [['machine'], /^machine needs a SCRIPT: a script's file/],
    [['inspect', 'stats_print', W], /^stats_print is a view of jemalloc: -a jemalloc$/],
    [['inspect', 'memory_get_usage', W, '-a', 'jemalloc'], /^memory_get_usage is a view of zendmm: -a zendmm$/],
    [['trace', 'convert', W, 'o.csv'], /found the ending \.csv, expected \.htrace/],
    [['trace', 'import', 'x.log', 'o.htrace', '--quantum', '0'], /--quantum: found '0'/],
  ])('%j', async (args, message) => {
    await expect(runCommandLine(args)).rejects.toThrow(message);
    await expect(runCommandLine(args)).rejects.toThrow(UserError);
  });
});

test('options that have values are taken back as those that have none', async () => {
  const seen: unknown[] = [];
  const write = process.stdout.write;
  process.stdout.write = ((text: string) => seen.push(text) > 0) as typeof write;
  try {
    await runCommandLine(['list', 'workloads', '--no-json']);
    await runCommandLine(['list', 'workloads']);
  } finally {
    process.stdout.write = write;
  }
  expect(seen[0]).toBe(seen[1]);
});
