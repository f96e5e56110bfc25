import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CLI, CLI_BUILT } from '../helpers/cli.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const RUN = ['run', 'rows:threads=1,rounds=3'];

function shell(script: string, cwd: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', script], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', SIM: `${process.execPath} ${CLI}` },
  });
  return { status, stdout, stderr };
}

describe.runIf(CLI_BUILT)('what is refused in one line', () => {
  test.each([
    ['--costs=__proto__', /no such file/],
    ['--tlb=constructor', /found 'constructor'/],
    ['--tlb=zen3:toString=1', /found 'toString=1'/],
    ['--allocator=constructor', /unknown allocator 'constructor', expected one of/],
    ['--allocator=__proto__', /unknown allocator '__proto__', expected one of/],
  ])('%s names nothing', async (option, message) => {
    const { status, stderr } = await command([...RUN, option]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test.each(['constructor', 'ps -o constructor', 'free --constructor', '__proto__ a', '/proc/a/constructor'])(
    'view %s names nothing',
    async (view) => {
      const folder = temporaryFolder();
      const script = join(folder, 'script.txt');
      writeFileSync(script, 'new a\nset constructor 1\na mmap __proto__ 1M private\na touch __proto__ 0 1M\n');
      const { status, stderr } = await command(['machine', script, `--view=${view}`]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^sim: view.*\n$|^sim: unknown view.*\n$/);
    },
  );

  test('stacks that cannot be read', async () => {
    for (const [file, found] of [
      ['none', 'no such file'],
      ['.', 'a directory'],
    ]) {
      const { status, stderr } = await command([...RUN, `--diff=${file}`]);
      expect(status).toBe(2);
      expect(stderr).toBe(`sim: --diff: ${file}: found ${found}, expected a file that --collapsed wrote\n`);
    }
  });

  test('a working folder or a temporary folder that is not there', () => {
    const folder = temporaryFolder();
    const gone = shell('mkdir gone; cd gone; rmdir ../gone; $SIM run rows', folder);
    expect(gone).toMatchObject({ status: 2, stderr: 'sim: the working folder: found no such file\n' });
    const record = shell('TMPDIR=$PWD/none $SIM record -o x.htb -- /bin/true', folder);
    expect(record.status).toBe(2);
    expect(record.stderr).toMatch(/^sim: .*found.*\n$/);
  });

  test.each([
    ['sweep', 'rows:rounds=1000000', '--grid=arena_max=1,2,4', '--json=.'],
    ['tune', 'rows:rounds=1000000', '--csv=none/t.csv'],
    ['plan', 'prefork-python', '--json=/dev/null/p.json'],
    ['machine', 'prefork-python', '--report=f/r.html'],
    ['gate', '--suite=s.json', '--junit=.'],
    ['bench', '--json=.'],
    ['calibrate', '-o', '.'],
    ['run', 'rows:rounds=1000000', '--svg=f/figures'],
  ])('an output that cannot be written, before the work: %s %s', (...args) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'f'), '');
    writeFileSync(join(folder, 's.json'), '{"workloads": ["rows:rounds=1000000"], "allocators": ["glibc"]}');
    const { status, stdout, stderr } = shell(`$SIM ${args.join(' ')}`, folder);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^sim: \S+: found .*, expected a (file|folder) that can be written\n$/);
    expect(readdirSync(folder).sort()).toEqual(['f', 's.json']);
  });

  test('a moment after the end of a scenario', () => {
    const { status, stderr } = shell('$SIM machine prefork-python --at 99h', temporaryFolder());
    expect(status).toBe(2);
    expect(stderr).toBe("sim: --at: found '99h', expected at most 24h, when the scenario ends\n");
  });

  test('standard output twice, and a script that would be written over', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'm.txt'), 'new a\nsample s\n');
    const twice = shell('$SIM compare rows --allocators glibc,jemalloc --json=- --csv=/dev/stdout', folder);
    expect(twice).toMatchObject({ status: 2, stderr: 'sim: --json and --csv cannot all go to standard output\n' });
    const over = shell('$SIM machine m.txt --csv m.txt', folder);
    expect(over).toMatchObject({ status: 2 });
    expect(over.stderr).toBe('sim: --csv: found m.txt, which is the file of script too, expected another one\n');
    expect(readFileSync(join(folder, 'm.txt'), 'utf8')).toContain('sample s');
  });

  test('/dev/stdout is -: data alone, behind what a file has already', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'log'), '[]\n');
    expect(shell('$SIM run rows:rounds=3 --json=/dev/stdout >> log', folder)).toMatchObject({ status: 0, stderr: '' });
    const text = readFileSync(join(folder, 'log'), 'utf8');
    expect(text.startsWith('[]\n')).toBe(true);
    expect(JSON.parse(text.slice(3))).toHaveProperty('schema');
  });

  test('more real threads than the host has memory for', async () => {
    const folder = temporaryFolder();
    const lines = Array.from({ length: 20_000 }, (_, i) => `m ${i} ${i} 24\n`);
    writeFileSync(join(folder, 't.htrace'), `%htrace 1\n%touch none\n${lines.join('')}`);
    const { status, stderr } = await command(['run', join(folder, 't.htrace'), '--mode=threads']);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^sim: --mode threads: found 20000 threads, expected at most \d+ \(.* each; .* are left of .*\), or --mode virtual\n$/,
    );
  });

  test('JSON and YAML that cost more than their length', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'config'));
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const deep = file('deep.json', '['.repeat(1e5) + ']'.repeat(1e5));
    expect((await command(['gate', deep, deep])).stderr).toMatch(/found JSON of more than 100 levels/);
    writeFileSync(join(folder, 'config', 'allocsim.json'), `${'{"run":{"json":'.repeat(3e4)}1${'}}'.repeat(3e4)}`);
    const configured = shell('$SIM run rows', join(folder, 'config'));
    expect(configured).toMatchObject({ status: 2 });
    expect(configured.stderr).toMatch(/found JSON of more than 100 levels/);
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i + 1}: &a${i + 1} [${'*aN,'.replace('N', `${i}`).repeat(9)}]\n`,
    );
    const bomb = file('bomb.yaml', `a0: &a0 [x]\n${levels.join('')}pools: *a12\n`);
    expect((await command(['machine', bomb])).stderr).toMatch(/^sim: .*bomb\.yaml:\d+: found aliases of aliases .*\n$/);
    const keys = file('keys.yaml', Array.from({ length: 50_000 }, (_, i) => `k${i}: 1\n`).join(''));
    expect((await command(['machine', keys])).stderr).toMatch(/^sim: .*keys\.yaml:1: found 'k0'/);
    expect((await command(['plan', file('twice.yaml', 'name: a\nduration: 1h\nname: b\n')])).stderr).toMatch(
      /twice\.yaml:3: found 'name' twice/,
    );
    expect((await command(['plan', file('long.yaml', '# \n'.repeat(400_000))])).stderr).toMatch(
      /expected a scenario of at most/,
    );
  });
});

describe.runIf(CLI_BUILT)('pipes', () => {
  test('a reader that has left is no error', () => {
    expect(shell('$SIM list | true', temporaryFolder())).toMatchObject({ status: 0, stderr: '' });
  });

  test('a trace, a script and a scenario come through one', () => {
    const folder = temporaryFolder();
    const trace = "printf '%%htrace 1\\n%%touch none\\nm 0 1 24\\n'";
    expect(shell(`$SIM plan <(${trace})`, folder)).toMatchObject({ status: 0, stderr: '' });
    expect(shell(`$SIM inspect smaps <(${trace})`, folder)).toMatchObject({ status: 0, stderr: '' });
    expect(shell("$SIM machine <(printf 'new a\\nsample s\\n')", folder)).toMatchObject({ status: 0, stderr: '' });
    const scenario = shell("$SIM machine <(printf 'duration: x\\n')", folder);
    expect(scenario.status).toBe(2);
    expect(scenario.stderr).toMatch(/duration/);
  });
});
