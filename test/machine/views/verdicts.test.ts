import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadMachinePrograms } from '../../../bench/study/machine/machine-programs.ts';
import { kernelParts, kernelTotal, partsOfMemory } from '../../../machine/kernel/memory-parts.ts';
import { MACHINE_SCENARIOS } from '../../../machine/scenarios/index.ts';
import { runMachineScript } from '../../../machine/script/run.ts';
import type { FindingKind } from '../../../machine/views/words/finding.ts';
import { Historian } from '../../../machine/views/words/history.ts';
import { type MachineSummary, machineSummary, machineSummaryText } from '../../../machine/views/words/summary.ts';

async function reportOf(text: string): Promise<MachineSummary> {
  const historian = new Historian();
  const run = runMachineScript(text, {
    name: 'script',
    program: await loadMachinePrograms(text, 'script'),
    onStart: (started) => historian.start(started),
    afterCommand: (running, command) => historian.afterCommand(running, command),
  });
  return machineSummary(run, 'script', historian.finish(run));
}

const verdictOf = async (text: string): Promise<FindingKind | undefined> => (await reportOf(text)).findings[0]?.kind;

const VERDICTS: Readonly<Record<string, FindingKind>> = {
  'shared-memory': 'counted-twice',
  'opcache-pool': 'counted-twice',
  'prefork-pool': 'forked',
  'allocator-keeps': 'allocator-keeps',
  'pinned-break': 'pinned-break',
  arenas: 'arenas',
  'imagick-pool': 'allocator-keeps',
  'three-layers': 'three-layers',
  'go-1.12': 'late-runtime',
  'go-1.16': 'late-runtime',
  'lazily-freed': 'lazily-freed',
  'cache-evicts': 'cache-evicts',
  'cache-trusted': 'cache-trusted',
  container: 'cache-trusted',
  'container-killed': 'killed-by-limit',
  descriptors: 'descriptors',
  tmpfs: 'tmpfs',
  'names-of-files': 'names',
};

test('every scenario has a verdict here', () => {
  expect(Object.keys(VERDICTS)).toEqual(Object.keys(MACHINE_SCENARIOS));
});

test.each(Object.keys(MACHINE_SCENARIOS))('%s', async (name) => {
  expect(await verdictOf(MACHINE_SCENARIOS[name]!.text)).toBe(VERDICTS[name]);
});

/** Scripts of each kind that are none of the built-in ones; sizes in MB. */
const UNSEEN: Readonly<Record<string, (mb: number, n: number) => { kind: FindingKind | undefined; script: string }>> = {
  'a pool over one segment, filled by a child': (mb, n) => ({
    kind: 'counted-twice',
    script: `new a\na memfd Z ${mb}M shared\na fork b\nb touch Z 0 ${mb}M\n${Array.from({ length: n }, (_, i) => `b fork w${i}\nw${i} touch Z 0 ${mb}M rmw\n`).join('')}sample s\n`,
  }),
  'a file that several map': (mb, n) => ({
    kind: 'counted-twice',
    script: `new ${Array.from({ length: n }, (_, i) => `p${i}`).join(' ')}\np0 write /mnt/lib 0 ${mb}M sync\n${Array.from({ length: n }, (_, i) => `p${i} filemap L /mnt/lib ${mb}M shared ro\np${i} touch L 0 ${mb}M read\n`).join('')}`,
  }),
  'a limit of overcommit': () => ({
    kind: undefined,
    script: 'new a b c\nset vm/overcommit_memory 2\na mmap A 900M private\na mmap B 90M private\nsample s\n',
  }),
  'a segment whose only writer has ended': (mb) => ({
    kind: 'in-nobody',
    script: `new a\na mmap Z ${2 * mb}M shared\na fork b\nb touch Z 0 ${mb}M\nb exit\nsleep 100\n`,
  }),
  'a fork that nobody writes after': (mb, n) => ({
    kind: 'forked',
    script: `new a\na brk +${mb}M\na touch heap 0 ${mb}M\n${Array.from({ length: n }, (_, i) => `a fork w${i}\n`).join('')}`,
  }),
  'files of tmpfs in another place': (mb, n) => ({
    kind: 'tmpfs',
    script: `mount tmpfs /tmp size=400M\nnew a\n${Array.from({ length: n }, (_, i) => `a write /tmp/x${i} 0 ${mb}M\n`).join('')}`,
  }),
  'pipes and files that stay open': (mb, n) => ({
    kind: 'descriptors',
    script: `new a b\na mmap P 2M private\na touch P 0 2M\n${Array.from({ length: n }, () => `b pipes ${mb * 40}\nb fds ${mb * 40}\nsleep 1000\n`).join('')}`,
  }),
  'lazily freed at once': (mb) => ({
    kind: 'lazily-freed',
    script: `new a\na brk +${mb}M\na touch heap 0 ${mb}M\na madvise heap 0 ${mb - 1}M free\n`,
  }),
  'given back a quarter of an hour later': (mb, n) => ({
    kind: 'late-runtime',
    script: `new a\na mmap G ${2 * mb}M private noreserve\na touch G 0 ${mb}M\nsleep ${n * 300000}\na madvise G 0 ${mb}M ${n % 2 ? 'free' : 'dontneed'}\nsample s\n`,
  }),
  'a program that grows and grows': (mb, n) => ({
    kind: undefined,
    script: `new a\na mmap L ${n * mb}M private\n${Array.from({ length: n }, (_, i) => `a touch L ${i * mb}M ${mb}M\nsleep 60000\nsample s${i}\n`).join('')}`,
  }),
  'a program that unmaps what it no longer needs': (mb) => ({
    kind: undefined,
    script: `new a\na mmap L ${mb}M private\na touch L 0 ${mb}M\nsleep 60000\na munmap L 0 ${mb}M\nsample s\n`,
  }),
  'a program that discards at once': (mb) => ({
    kind: undefined,
    script: `new a\na mmap L ${mb}M private\na touch L 0 ${mb}M\na madvise L 0 ${mb}M dontneed\nsample s\n`,
  }),
  'little of everything': (_mb, n) => ({
    kind: undefined,
    script: `new a b\na mmap L 300M private\na touch L 0 300M\nb write /dev/shm/x 0 ${n}M\nb fds 100\nsample s\n`,
  }),
};

describe.each(Object.keys(UNSEEN))('%s', (name) => {
  test('is named, or nothing is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 20, max: 70 }), fc.integer({ min: 2, max: 5 }), async (mb, n) => {
        const { kind, script } = UNSEEN[name]!(mb, n);
        expect(await verdictOf(`#! -m 1088\n${script}`)).toBe(kind);
      }),
      { numRuns: 2, seed: 7 },
    );
  });
});

describe('heaps', () => {
  test.each<[string, FindingKind | undefined]>([
    ['spike:bytes=24M,size=900,stay=3,place=last under glibc', 'pinned-break'],
    ['spike:bytes=24M,size=9000,stay=60,place=spread under glibc:mmap_threshold=64M', 'allocator-keeps'],
    ['spike:threads=8,bytes=6M,size=2000,stay=4,place=spread,busy=1 under glibc', 'arenas'],
    ['spike:bytes=24M,size=2000,stay=0,place=none under jemalloc', 'allocator-keeps'],
    ['spike:bytes=24M,size=2000,stay=0,place=none under glibc', undefined],
    ['spike:bytes=24M,size=200000,stay=0,place=none under glibc', undefined],
  ])('%s', async (run, kind) => {
    expect(await verdictOf(`#! -m 576 --smp 8\nnew a\na run ${run}\nsample s\n`)).toBe(kind);
  });
});

test('the text of a report', async () => {
  const report = await reportOf(MACHINE_SCENARIOS['container']!.text);
  expect(machineSummaryText(report)).toMatchSnapshot();
});

test('who a limit killed, and what it was full of; who the machine killed', async () => {
  const killed = (await reportOf(MACHINE_SCENARIOS['container-killed']!.text)).sections.find(
    ({ short }) => short === 'died',
  )!;
  expect(killed.lines).toEqual([
    'server (signal 9, step 13): C had met its limit of 200.0 MiB, with 120.0 MiB shared memory and tmpfs, 79.5 MiB private memory of processes and 464.0 KiB kernel; it had an RSS of 60.2 MiB',
  ]);
  const script =
    '#! -m 400\nnew a b\nb oom_score_adj 300\nb mmap B 150M private\nb touch B 0 150M\na mmap A 170M private\na touch A 0 170M\n';
  const died = (await reportOf(script)).sections.find(({ short }) => short === 'died')!;
  expect(died.lines).toHaveLength(1);
  expect(died.lines[0]).toMatch(
    /^b \(signal 9, step 6\): nothing was free of \d+\.\d MiB, with \d+\.\d MiB private memory of processes, .* kernel and .* page cache; it had an RSS of 150\.\d MiB, oom_score_adj 300$/,
  );
});

test('processes of a pool each keep their own, and are told of together', async () => {
  const [first] = (await reportOf(MACHINE_SCENARIOS['imagick-pool']!.text)).findings;
  const each = /(\d+\.\d) MiB are free pages/.exec(first!.text)!;
  const all = /w1, w2, w3 and w4 keep (\d+\.\d) MiB so together/.exec(first!.text)!;
  expect(Math.abs(Number(all[1]) - 4 * Number(each[1]))).toBeLessThan(0.5);
});

test('a machine on which nothing happens', async () => {
  expect(machineSummaryText(await reportOf('#! -m 576\nsleep 5\n'))).toContain('No process is left');
  expect(machineSummaryText(await reportOf('#! -m 576\n'))).toContain('none of the misbehaviours');
});

/** The rows of the table of memory, in tenths of a MiB. */
function memoryRows(report: MachineSummary): Map<string, number> {
  const text = machineSummaryText(report);
  const start = text.indexOf("The machine's memory");
  const rows = text.slice(start, text.indexOf('\n\n', start)).matchAll(/^ {2}(.+?) {2,}(\d+)\.(\d) MiB/gm);
  return new Map([...rows].map(([, name, whole, tenth]) => [name!, Number(whole! + tenth!)]));
}

test.each(['opcache-pool', 'three-layers', 'descriptors', 'lazily-freed', 'shared-memory'])(
  'the rows of %s are MemTotal together',
  async (name) => {
    const rows = memoryRows(await reportOf(MACHINE_SCENARIOS[name]!.text));
    const total = rows.get('MemTotal')!;
    rows.delete('MemTotal');
    rows.delete('swap used');
    expect([...rows.values()].reduce((a, b) => a + b, 0)).toBe(total);
    expect(Math.min(...rows.values())).toBeGreaterThanOrEqual(0);
  },
);

test('what is named of the kernel is the kernel, as on the page', () => {
  const meminfo = { Slab: 10, PageTables: 20, KernelStack: 30, Percpu: 40, VmallocUsed: 80 };
  expect(kernelParts(meminfo)).toEqual({ slab: 10, pageTables: 20, stacks: 30, percpu: 40, vmalloc: 50 });
  expect(kernelTotal(kernelParts(meminfo))).toBe(150);
  expect(() => partsOfMemory({ ...meminfo, MemTotal: 149 }, 0)).toThrow('more than MemTotal');
});

test('a headline of files and shared memory has both in its text', async () => {
  const script =
    'new a b\na write /mnt/f 0 3M sync\na mmap S 40M shared\na touch S 0 40M\na filemap L /mnt/f 3M shared ro\na touch L 0 3M read\na fork c\nc touch S 0 40M\nc touch L 0 3M read\nsample s\n';
  const [first] = (await reportOf(`#! -m 576\n${script}`)).findings;
  expect(first!.bytes).toBe(43 * 2 ** 20);
  expect(first!.text).toContain('40.0 MiB of shared memory');
  expect(first!.text).toContain('are 6.00 MiB in their RSS, and 3.00 MiB less in memory');
});

test.each(['6.1', '6.12'])('the least machine boots under %s, and less is one line', (kernel) => {
  const boot = (mb: number) =>
    runMachineScript(`#! -m ${mb} --kernel ${kernel} --thp always\nnew a\na mmap A 2M private\na touch A 0 2M\n`);
  expect(boot(192).process('a')!.alive).toBe(true);
  for (const mb of [191, 128, 1]) expect(() => boot(mb)).toThrow(/^script:1: -m: found '\d+', expected .* from 192$/);
  expect(() => runMachineScript('new a\n', { machine: { memoryMb: 128 } })).toThrow('expected at least 192 MB');
});
