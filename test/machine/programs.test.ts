import { describe, expect, test } from 'vitest';
import { meminfo } from '../../machine/kernel/meminfo.ts';
import { smapsRollup } from '../../machine/kernel/smaps.ts';
import { type MachineLine, runMachineScript } from '../../machine/script/run.ts';

/**
 * Two C programs that were run on a real machine (kernel 6.18), as scripts: what smaps_rollup said of them, in kB. Their processes are
 * of a dynamic binary, so each may have so much more of its own here and there.
 */
const BINARY_RSS_KB = 1700;
const BINARY_OTHER_KB = 300;
/** Page tables of such a process that are not for what it maps itself, more than of the script's. */
const BINARY_TABLES_KB = 72;

/** A script's binary is mapped by process 1 too, so that its pages are shared ones. */
const WITHIN_KB: Numbers = { Rss: BINARY_RSS_KB, AnonHugePages: 0, Shared_Dirty: 800 };

type Numbers = Readonly<Record<string, number>>;

const rollupOf = (lines: readonly MachineLine[], label: string, process: string): Numbers =>
  lines.find((line) => line.t === 'proc' && line['label'] === label && line['p'] === process)!['rollup'] as Numbers;
const meminfoOf = (lines: readonly MachineLine[], label: string): Numbers =>
  lines.find((line) => line.t === 'machine' && line['label'] === label)!['meminfo'] as Numbers;

function expectRollup(own: Numbers, real: Numbers): void {
  for (const [name, kb] of Object.entries(real)) {
    const within = WITHIN_KB[name] ?? BINARY_OTHER_KB;
    expect(Math.abs((own[name] ?? 0) - kb), `${name}: real ${kb}, simulated ${own[name] ?? 0}`).toBeLessThanOrEqual(
      within,
    );
  }
}

describe('a shared segment of 1024 MB, 400 MB used, with 32 children that have 12 MB of their own', () => {
  const children = Array.from({ length: 32 }, (_, i) => `c${i}`);
  test.each([
    {
      percent: 50,
      child: { Rss: 217744, Pss: 18536, Private_Dirty: 12320 },
      parent: { Rss: 411164, Pss: 211070 },
      sum: { Rss: 6967808, Pss: 593152, Private_Dirty: 394240 },
      pageTablesKb: 17164,
    },
    {
      percent: 100,
      child: { Rss: 422576, Pss: 24742, Private_Dirty: 12320 },
      parent: { Rss: 411180, Pss: 12492 },
      sum: { Rss: 13522432, Pss: 791744, Private_Dirty: 394240 },
      pageTablesKb: 30436,
    },
  ])('that read $percent % of it', ({ percent, child, parent, sum, pageTablesKb }) => {
    const run = runMachineScript(
      [
        '#! -m 2664',
        'new p',
        'p mmap S 1024M shared',
        'msample before',
        'p touch S 0 400M',
        ...children.map((name) => `p fork ${name}`),
        ...children.flatMap((name) => [
          `${name} touch S 0 ${4 * percent}M read`,
          `${name} mmap Q 12M private`,
          `${name} touch Q 0 12M`,
        ]),
      ].join('\n'),
    );
    const rollups = children.map((name) => smapsRollup(run.k, run.process(name)!.task));
    expectRollup(rollups[0]!, child);
    expectRollup(smapsRollup(run.k, run.process('p')!.task), parent);
    for (const [name, real] of Object.entries(sum)) {
      const own = rollups.reduce((total, one) => total + one[name]!, 0);
      expect(Math.abs(own - real)).toBeLessThanOrEqual(32 * (name === 'Rss' ? BINARY_RSS_KB : BINARY_OTHER_KB));
    }
    const before = meminfoOf(run.lines, 'before');
    const after = meminfo(run.k);
    expect(after['Shmem']! - (before['Shmem'] ?? 0)).toBe(409600);
    expect(after['AnonPages']! - before['AnonPages']!).toBeGreaterThanOrEqual(32 * 12288);
    const tables = after['PageTables']! - before['PageTables']!;
    expect(pageTablesKb - tables).toBeGreaterThanOrEqual(0);
    expect(pageTablesKb - tables).toBeLessThanOrEqual(33 * BINARY_TABLES_KB);
  });
});

describe('fork and copy-on-write: 200 MB, four children that write a share of the pages', () => {
  const alone = { Rss: 206448, Pss: 204964, Shared_Dirty: 0, Private_Dirty: 204924 };
  test.each([
    {
      stride: '16K',
      thp: 'never' as const,
      parentForked: { Rss: 206448, Pss: 41069, Shared_Dirty: 204868, Private_Dirty: 56 },
      childForked: { Rss: 205368, Pss: 41021, Shared_Dirty: 204888, Private_Dirty: 32 },
      parentWritten: { Rss: 206448, Pss: 82025, Shared_Dirty: 153672, Private_Dirty: 51252 },
      childWritten: { Rss: 205372, Pss: 81981, Shared_Dirty: 153692, Private_Dirty: 51232 },
    },
    {
      stride: '400K',
      thp: 'never' as const,
      parentForked: { Rss: 206436, Pss: 41073, Shared_Dirty: 204868, Private_Dirty: 56 },
      childForked: { Rss: 205344, Pss: 41022, Shared_Dirty: 204888, Private_Dirty: 32 },
      parentWritten: { Rss: 206436, Pss: 42708, Shared_Dirty: 202824, Private_Dirty: 2100 },
      childWritten: { Rss: 205388, Pss: 42662, Shared_Dirty: 202844, Private_Dirty: 2080 },
    },
    {
      stride: '16K',
      thp: 'always' as const,
      parentForked: { Rss: 206452, Pss: 41062, Shared_Dirty: 204872, Private_Dirty: 52, AnonHugePages: 204800 },
      childForked: { Rss: 205320, Pss: 41019, Shared_Dirty: 204888, Private_Dirty: 32, AnonHugePages: 204800 },
      parentWritten: { Rss: 206452, Pss: 82025, Shared_Dirty: 153676, Private_Dirty: 51248, AnonHugePages: 204800 },
      childWritten: { Rss: 205372, Pss: 81982, Shared_Dirty: 153692, Private_Dirty: 51232, AnonHugePages: 0 },
    },
    {
      stride: '400K',
      thp: 'always' as const,
      parentForked: { Rss: 206456, Pss: 41068, Shared_Dirty: 204868, Private_Dirty: 52, AnonHugePages: 204800 },
      childForked: { Rss: 205364, Pss: 41020, Shared_Dirty: 204884, Private_Dirty: 32, AnonHugePages: 204800 },
      parentWritten: { Rss: 206456, Pss: 42703, Shared_Dirty: 202824, Private_Dirty: 2100, AnonHugePages: 204800 },
      childWritten: { Rss: 205368, Pss: 42660, Shared_Dirty: 202840, Private_Dirty: 2080, AnonHugePages: 0 },
    },
  ])('one page every $stride, huge pages $thp', ({ stride, thp, ...real }) => {
    const children = ['c0', 'c1', 'c2', 'c3'];
    const { lines } = runMachineScript(
      [
        `#! -m 2664 --thp ${thp}`,
        'new p',
        'p mmap A 200M private',
        'p touch A 0 200M',
        'sample alone',
        ...children.map((name) => `p fork ${name}`),
        'sample forked',
        ...children.map((name) => `${name} touch A 0 200M stride=${stride}`),
        'sample written',
        ...children.map((name) => `${name} exit`),
        'sample gone',
      ].join('\n'),
    );
    expectRollup(rollupOf(lines, 'alone', 'p'), alone);
    expectRollup(rollupOf(lines, 'forked', 'p'), real.parentForked);
    expectRollup(rollupOf(lines, 'forked', 'c0'), real.childForked);
    expectRollup(rollupOf(lines, 'written', 'p'), real.parentWritten);
    for (const child of children) expectRollup(rollupOf(lines, 'written', child), real.childWritten);
    expectRollup(rollupOf(lines, 'gone', 'p'), alone);
  });
});
