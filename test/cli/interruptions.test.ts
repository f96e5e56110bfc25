import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { describeCommands } from '../../bench/cli/describe.ts';
import { COMMANDS } from '../../bench/commands/index.ts';
import { nativeObstacle } from '../../bench/evidence/native/native.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { interrupt } from '../helpers/interrupt.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const LONG = 'rows:threads=8,rounds=2000000';
const MANY = 'stress:profile=mix,events=20000000';
const SMALL = 'rows:threads=2,rounds=20000';
/** Far beyond the start of Node and of the command, in processor time. */
const AFTER_MS = 400;
/** What a second on all of two processors is, and what a busy machine may add. */
const ANSWER_MS = 4000;

const SCRIPT = `new a\na mmap A 8G private noreserve\n${Array.from({ length: 4000 }, (_, i) => `a touch A ${2 * i}M 2M\nsample s${i}\n`).join('')}`;
/** A machine on which a process runs for long. */
const RUNS = `#! -m 4096\nnew a b c d e f\nsample s\n${[...'abcdef'].map((p) => `${p} run stress:profile=mix,events=1500000\n`).join('')}`;
const SUITE = { workloads: ['rows:threads=8,rounds=200000'], allocators: ['glibc', 'jemalloc'] };

/** Of every command that works for long, one that does. */
const LONG_COMMANDS: readonly (readonly string[])[] = [
  ['run', LONG, '--mode=lockstep', '--json=r.json', '--samples=s.jsonl'],
  ['run', LONG, '--mode=virtual', '--trace-time=t.json'],
  ['run', LONG, '--mode=threads', '--placements=p.txt'],
  ['run', 'rows:rounds=400000', '--threads=1,2,4', '--csv=c.csv'],
  ['inspect', 'smaps', MANY],
  ['explain', MANY, '--json=e.json'],
  ['explain', MANY, '--at=peak'],
  ['compare', SMALL, '--allocators=glibc,jemalloc', '--seeds=500', '--json=c.json', '--csv=c.csv'],
  ['sweep', SMALL, '--seeds=500', '--csv=s.csv'],
  ['tune', LONG, '--json=t.json'],
  ['plan', LONG, '--json=p.json'],
  ['plan', 'fpm-lanczos-real-72h'],
  ['machine', 'fpm-lanczos-real-72h', '--csv=f.csv'],
  ['machine', 'script.txt', '--output=m.jsonl'],
  ['machine', 'script.txt', '--view=free -m'],
  ['machine', 'runs.txt', '--output=m.jsonl'],
  ['gate', '--suite=suite.json', '--save=b.json'],
  ['trace', 'check', 'long.htrace.gz'],
  ['trace', 'info', MANY],
  ['trace', 'convert', MANY, 'o.htrace.gz'],
  ['trace', 'cut', MANY, 'o.htb', '--from=100'],
  ['trace', 'import', 'log.txt', 'o.htb'],
  ...(nativeObstacle() === undefined
    ? [
        ['verify', MANY, '--json=v.json'],
        ['bench', '--quick', '--json=b.json'],
        ['bench', '--commands', '--json=b.json'],
      ]
    : []),
];
/** These are over at once, or wait for others; a recording ends its program, which its own tests show. */
const OTHERS = ['list', 'completion', 'worker', 'record', 'trace record', 'calibrate', 'trace'];

const nameOf = ([first, second]: readonly string[]) => (first === 'trace' ? `trace ${second}` : first!);

describe.runIf(CLI_BUILT)('a signal in the middle of a command', () => {
  test('is tried with every command', async () => {
    const names = (await describeCommands(COMMANDS)).map(({ name }) => name);
    const tried = new Set(LONG_COMMANDS.map(nameOf));
    const missing = names.filter((name) => !tried.has(name) && !OTHERS.includes(name));
    expect(missing.filter((name) => !['verify', 'bench'].includes(name))).toEqual([]);
  });

  test.each(LONG_COMMANDS.map((args, i) => [args.join(' '), args, i % 2 === 0 ? 'SIGINT' : 'SIGTERM'] as const))(
    '%s',
    { timeout: 110_000 },
    async (_, args, signal) => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'script.txt'), SCRIPT);
      writeFileSync(join(folder, 'runs.txt'), RUNS);
      writeFileSync(join(folder, 'suite.json'), JSON.stringify(SUITE));
      if (args.includes('long.htrace.gz')) writeTrace(join(folder, 'long.htrace.gz'));
      if (args.includes('log.txt')) writeLog(join(folder, 'log.txt'));
      const ended = await interrupt(args, { cwd: folder, afterMs: AFTER_MS, signal });
      expect(ended).toMatchObject({ code: 130, signal: null, wasOver: false, left: [] });
      expect(ended.processorMs).toBeLessThan(ANSWER_MS);
      expect(ended.stderr).not.toMatch(/internal error| {4}at /);
      expect(readdirSync(folder).filter((name) => name.startsWith('.allocsim-'))).toEqual([]);
      expect(readdirSync(folder).filter((name) => name.endsWith('.csv'))).toEqual([]); // it would be a part of one
    },
  );
});

/** 20 million lines, unpacked while they are read: a second or two of a processor. */
function writeTrace(path: string): void {
  const turn = gzipSync(Array.from({ length: 10_000 }, (_, i) => `m 0 ${i} 24\nf 0 ${i}\n`).join(''));
  writeFileSync(path, gzipSync('%htrace 1\n%touch none\n'));
  for (let i = 0; i < 1000; i++) appendFileSync(path, turn);
}

/** What bpftrace could have printed. */
function writeLog(path: string): void {
  const lines = Array.from(
    { length: 400_000 },
    (_, i) => `${i * 1000},1,malloc,${16 + (i % 90)},0x${(4096 + i * 64).toString(16)}`,
  );
  writeFileSync(path, `time,thread,op,size,address\n${lines.join('\n')}\n`);
}
