import { expect, test } from 'vitest';
import { parseScript, sizeOf } from '../../machine/script/parse.ts';
import { machineSteps, runMachineScript } from '../../machine/script/run.ts';
import { UserError } from '../../sim/contract/assert.ts';

const errorOf = (text: string): string => {
  try {
    parseScript(text, 'pool.txt');
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return '';
};

test('sizes', () => {
  expect(['4096', '4K', '1.5M', '2G', '1T', '3p', '2h', '-4K'].map(sizeOf)).toEqual([
    4096,
    4096,
    1572864,
    2 ** 31,
    2 ** 40,
    12288,
    2 ** 22,
    -4096,
  ]);
  expect(['', 'x', '4KB', '4 K'].map(sizeOf)).toEqual([undefined, undefined, undefined, undefined]);
});

test('a mistake is one line that says where, what was found and what was expected', () => {
  expect(errorOf('new p1\n\np1 touch A 0 4M writ')).toBe(
    "pool.txt:3: touch: found 'writ', expected read, rmw, write, stride=SIZE",
  );
  expect(errorOf('p1 mmap A 4Q private')).toMatch(/^pool\.txt:1: mmap: found '4Q', expected a size such as/);
  expect(errorOf('p1 mmpa A 1M')).toBe("pool.txt:1: found 'mmpa', did you mean 'mmap'?");
  expect(errorOf('nwe p1')).toBe("pool.txt:1: found 'nwe', did you mean 'new'?");
  expect(errorOf('p1 juggle A')).toMatch(/^pool\.txt:1: found 'juggle', expected one of mmap, /);
  expect(errorOf('p1 madvise A 0 4K sideways')).toMatch(/found 'sideways', expected an advice: normal, /);
  expect(errorOf('p1 touch A 0')).toMatch(
    /^pool\.txt:1: touch: expected a size as word 3 after it, found the end of the line$/,
  );
  expect(errorOf('#! -m lots')).toBe("pool.txt:1: -m: found 'lots', expected a whole number of megabytes from 192");
  expect(errorOf('sample')).toMatch(/^pool\.txt:1: sample: expected a word/);
});

test('comments, options and the background', () => {
  const script = parseScript('#! -m 1088 --thp always\n# nothing\nasync p1 touch A 0 4K # in the background\n');
  expect(script.options).toMatchObject({ memoryMb: 1088, thp: 'always' });
  expect(script.commands).toMatchObject([
    { line: 3, process: 'p1', words: ['touch', 'A', '0', '4K'], background: true },
  ]);
});

test('the same script gives the same lines', () => {
  const text = '#! -m 576\nnew p1\np1 mmap A 40M private\np1 touch A 0 40M\np1 fork p2\np2 touch A 0 4M\nsample end\n';
  expect(runMachineScript(text).lines).toEqual(runMachineScript(text).lines);
});

test('what nothing uses any more is free again', () => {
  const run = runMachineScript(
    '#! -m 1088 --thp always\nnew p1\nsample a\np1 mmap A 100M private\np1 touch A 0 100M\np1 mmap S 50M shared\np1 touch S 0 50M\np1 fork p2\np2 touch A 0 30M\np2 exit\np1 munmap A 0 100M\np1 munmap S 0 50M\nsample b\n',
  );
  const info = run.lines.filter(({ t }) => t === 'machine').map((line) => line['meminfo'] as Record<string, number>);
  for (const name of ['AnonPages', 'Shmem', 'Committed_AS', 'PageTables', 'Mapped', 'AnonHugePages']) {
    expect([name, info[1]![name]]).toEqual([name, info[0]![name]]);
  }
});

test('swap takes what does not fit, and gives it back', () => {
  const run = runMachineScript(
    '#! -m 576\nnew p1 p2\nswap 512M\np1 mmap A 300M private\np1 touch A 0 300M\np2 mmap B 300M private\np2 touch B 0 300M\nsample full\np1 touch A 0 300M\nsample again\np1 exit\np2 exit\nsample end\n',
  );
  const [full, again, end] = run.lines
    .filter(({ t }) => t === 'machine')
    .map((line) => line as unknown as { meminfo: Record<string, number>; vmstat: Record<string, number> });
  expect(full!.meminfo['SwapFree']).toBeLessThan(full!.meminfo['SwapTotal']! - 100 * 1024);
  expect(full!.vmstat['oom_kill'] ?? 0).toBe(0);
  expect(again!.vmstat['pswpin']).toBeGreaterThan(20000);
  // What is left there is of process 1, and 64 slots each that are taken ahead or not yet given back.
  expect(end!.meminfo['SwapFree']).toBeGreaterThan(end!.meminfo['SwapTotal']! - 2200 - 2 * 64 * 4);
});

const answers = (text: string) =>
  runMachineScript(text)
    .lines.filter(({ t }) => t === 'step')
    .map((line) => line['err'] ?? line['ret']);

test('limits of a process refuse what goes beyond, and a fork inherits them', () => {
  expect(
    answers(
      'new p1\np1 rlimit as 64M\np1 mmap A 100M private\np1 mmap A 32M private ro\np1 fork c1\nc1 mmap B 60M private\np1 rlimit as unlimited\np1 mmap B 100M private\np1 rlimit data 8M\np1 mmap C 16M private\np1 mmap C 16M private ro\np1 brk +16M\np1 rlimit nofile 10\np1 fds 5\np1 pipes 4\n',
    ),
  ).toEqual([0, 0, 'ENOMEM', 0, 0, 'ENOMEM', 0, 0, 0, 'ENOMEM', 0, 'ENOMEM', 0, 5, 'EMFILE']);
});

test('files of the kernel refuse numbers that they do not know', () => {
  const text =
    'new p1\ndrop_caches 0\ndrop_caches 5\nset vm/drop_caches 5\ndrop_caches 3\np1 clear_refs 6\np1 clear_refs 1\n';
  expect(answers(text)).toEqual([0, 'EINVAL', 'EINVAL', 'EINVAL', 0, 'EINVAL', 0]);
});

test.each([
  ['p1 rlimit core 8M', /found 'core', expected a limit: as, data, stack, memlock, nofile/],
  ['p1 rlimit as much', /expected a size, a number or unlimited/],
])('%s is refused', (line, message) => {
  expect(() => runMachineScript(`new p1\n${line}\n`)).toThrow(message);
});

test('a sleep of a month, in which khugepaged wakes each ten seconds, lets whoever drives look up on its way', () => {
  const text = '#! -m 1024 --thp always\nnew p1\np1 mmap A 20M private\np1 touch A 0 20M\nsleep 2592000000\n';
  const steps = [...machineSteps(text)];
  expect(steps.filter((step) => step === 'breath').length).toBeGreaterThan(20);
});

test('pages that a call brings in let whoever drives look up on its way', () => {
  const breaths = (commands: string) =>
    [...machineSteps(`#! -m 1024 --thp never\nnew p\n${commands}`)].filter((step) => step === 'breath').length;
  expect(breaths('p mmap A 200M private populate\n')).toBeGreaterThanOrEqual(6);
  expect(breaths('p mmap A 200M private\np mlock A 0 200M\n')).toBeGreaterThanOrEqual(6);
  expect(breaths('p mmap A 200M private\np madvise A 0 200M populate_write\n')).toBeGreaterThanOrEqual(6);
});

test('commands in the background share the processor, and a sleep beside them ends in time', () => {
  const touched = (name: string) => `${name} mmap A 100M private\nasync ${name} touch A 0 100M\n`;
  const text = `#! -m 1024 --thp never\nnew p1 p2\n${touched('p1')}${touched('p2')}sleep 100\nsample s\nwait p1\nwait p2\n`;
  const { lines } = runMachineScript(text);
  const sleep = lines.find((line) => line['cmd'] === 'sleep 100')!;
  expect(sleep['us']).toBeLessThan(110_000);
  const done = lines.filter((line) => line['state'] === 'done').map((line) => line['us'] as number);
  const aloneUs = runMachineScript(
    '#! -m 1024 --thp never\nnew p1\np1 mmap A 100M private\np1 touch A 0 100M\n',
  ).lines.find((line) => line['cmd'] === 'p1 touch A 0 100M')!['us'] as number;
  expect(done).toHaveLength(2);
  for (const us of done) expect(us / aloneUs).toBeCloseTo(2, 0);
  const rss = lines.filter(({ t }) => t === 'proc').map((line) => (line['rollup'] as { Rss: number }).Rss);
  expect(Math.max(...rss)).toBeLessThan(60_000);
  expect(Math.min(...rss)).toBeGreaterThan(20_000);
});

test('a fork that takes longer than a tick has a fault more', () => {
  const faults = (megabytes: number) => {
    const text = `#! -m 1024 --thp never\nnew p\np mmap A ${megabytes}M private\np touch A 0 ${megabytes}M\np fork c\np fork d\n`;
    return runMachineScript(text).lines.find((line) => line['cmd'] === 'p fork d')!['minflt'];
  };
  expect([faults(10), faults(80)]).toEqual([1, 2]);
});
