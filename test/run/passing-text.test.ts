import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { openPassingText } from '../../bench/run/text/passing-text.ts';
import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import { NeedsWholeTrace, type PassingOrder } from '../../workloads/trace/passing.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { CLI_BUILT, sim } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** More text than is looked at before the thread is trusted with it, and more than two pieces of rows. */
const EVENTS = 80_000;
/** Behind it a line is beyond what was looked at first. */
const LATE_LINE = 69_999;
let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});

type More = Partial<Omit<RunOptions, 'events'>>;

async function resultOf(events: EventBuffer | PassingTrace, allocator = 'glibc', more: More = {}) {
  const spec = parseAllocator(allocator, 4);
  const { engine: _, ...result } = await runInMode({ ...more, events, workload: 'w', spec, cpus: 4 });
  return result;
}

const requestedPeakBytes = 2 ** 32;
const open = (path: string, order: PassingOrder = 'file') =>
  openPassingText(path, { order, requestedPeakBytes, leastBytes: 1 });

async function passed<T>(path: string, work: (trace: PassingTrace) => Promise<T>, order?: PassingOrder): Promise<T> {
  const trace = (await open(path, order))!;
  expect(trace, path).toBeDefined();
  try {
    return await work(trace);
  } finally {
    await trace.close();
  }
}

async function expectSame(path: string, allocator?: string, more: More = {}) {
  const order = more.mode === 'virtual' ? 'program' : 'file';
  const found = await passed(path, (trace) => resultOf(trace, allocator, more), order);
  expect(found).toEqual(await resultOf(await readTrace(path), allocator, more));
  return found;
}

/** Blocks that come and go, a line each; `at` are lines in the place of some of them. */
function linesWith(at: Readonly<Record<number, string>> = {}): string[] {
  const lines = Array.from({ length: EVENTS }, (_, i) =>
    i % 3 === 2 ? `f 0 ${i - 1}` : `m 0 ${i} ${(i * 7919) % 3000}`,
  );
  for (const [line, text] of Object.entries(at)) lines[Number(line)] = text;
  return lines;
}

function written(lines: readonly string[], header = '%htrace 2'): string {
  const path = `${folder}/x.htrace`;
  writeFileSync(path, `${header}\n${lines.join('\n')}\n`);
  return path;
}

describe.skipIf(!CLI_BUILT)('a text that passes', () => {
  it.each(['glibc', 'jemalloc', 'zendmm@8.2:all=true+glibc'])(
    'gives under %s what the whole gives',
    async (allocator) => {
      const path = written(linesWith({ 39: '= first', [LATE_LINE]: '= second', 79999: '= last' }));
      await expectSame(path, allocator, { mode: 'virtual', sampleEvery: 9_001 });
      const { samples } = await expectSame(path, allocator, { sampleEvery: 9_001 });
      expect(samples.map(({ label }) => label).filter((label) => !label.startsWith('#'))).toEqual([
        'first',
        'second',
        'last',
        '(end)',
      ]);
    },
  );

  it('may end where a piece ends, or one row beside it, and be packed', async () => {
    for (const rows of [1, 32_767, 32_768, 32_769, 65_536]) {
      const path = written(linesWith().slice(0, rows));
      await expectSame(path, 'glibc', { sampleEvery: 32_768 });
      await expectSame(path, 'glibc', { mode: 'virtual', sampleEvery: 32_768 });
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
      await expectSame(`${path}.gz`, 'glibc', { sampleEvery: 32_768 });
    }
  });

  it('takes times, remarks, line ends of two bytes and every kind of event of one thread', async () => {
    const path = written(
      linesWith({
        5: '+ 100',
        6: '# nothing',
        9: 'm 0 9 5\r',
        11: 'a 0 11 64 100',
        14: 'trim 0 0',
        17: 'c 0 17 8 8',
        23: 'exit 0',
      }),
      '%htrace 2\n%touch first\n%name of the test\n%machine thp never',
    );
    await expectSame(path);
    expect(await open(path, 'own')).toBeUndefined(); // times
    const late = written(linesWith({ [LATE_LINE]: '+ 1' }));
    await expect(passed(late, (trace) => resultOf(trace, 'glibc', { mode: 'virtual' }), 'own')).rejects.toBeInstanceOf(
      NeedsWholeTrace,
    );
  });

  it('tells of blocks that failed, and of what was requested without them', async () => {
    const path = written(Array.from({ length: EVENTS }, (_, i) => `m 0 ${i} ${(i * 7919) % 3000}`));
    const { summary } = await expectSame(path, 'glibc', { kernel: { rlimitAs: 2_000_000 } });
    expect(summary.failedAllocations).toBeGreaterThan(0);
    await expectSame(path, 'glibc', { mode: 'virtual', kernel: { rlimitAs: 2_000_000 } });
  });

  it.each([
    ['a second thread', 'm 1 900000 5'],
    ['a request', 'em 0 900000 5'],
    ['a block that failed', 'm 0 900000 5 !'],
    ['a block of many bytes', `m 0 900000 ${2 ** 33}`],
    ['what is requested', `m 0 900000 ${2 ** 32 - 1}`],
  ])('needs the whole where it has late %s, and none is opened where it has it soon', async (_, line) => {
    const late = written(linesWith({ [LATE_LINE]: line }));
    await expect(passed(late, (trace) => resultOf(trace))).rejects.toBeInstanceOf(NeedsWholeTrace);
    const soon = written(linesWith({ 3: line }));
    if (!line.endsWith(`${2 ** 32 - 1}`)) expect(await open(soon)).toBeUndefined();
  });

  it('is refused in the words of who reads it whole, wherever it is wrong', async () => {
    const bad = fc.constantFrom('m 0 1', 'f 0 900001', 'q 0 1 2', 'm 0 x 5', '%name late', 'm 0 900000 5 6', '! Rss 5');
    // Behind the first event no header may come.
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: EVENTS - 1 }), bad, async (at, line) => {
        const path = written(linesWith({ [at]: line }));
        const whole = await readTrace(path).catch(String);
        const passes = await open(path);
        const found = passes ? await resultOf(passes).catch(String) : whole;
        await passes?.close();
        expect(found).toBe(whole);
        expect(whole).toContain(`${path}:`);
      }),
      { numRuns: 15 },
    );
  });

  it('is read again from its beginning by the command where it turns out to need that', () => {
    const path = written(
      [...Array(700_000).fill('m 0 1 100\nf 0 1'), 'm 1 2 5000000', 'f 0 2'],
      '%htrace 2\n%name long',
    );
    const { status, stdout } = sim(['run', path, '--mode=lockstep', '--cpus=2', '--json']);
    expect(status).toBe(0);
    const { summary, engine } = JSON.parse(stdout);
    expect([engine.events, summary.requestedPeakBytes, summary.liveBlocks]).toEqual([1_400_002, 5_000_000, 0]);
  });

  it('can be left at any row', async () => {
    const path = written(linesWith());
    const at = (signal: AbortSignal) => passed(path, (trace) => resultOf(trace, 'glibc', { signal }));
    expect((await at(AbortSignal.abort())).partial).toBe(true);
    const ended = { mode: 'virtual', signal: AbortSignal.abort() } as const;
    const { partial, samples } = await passed(path, (trace) => resultOf(trace, 'glibc', ended), 'program');
    expect([partial, Number.isFinite(samples.at(-1)!.event)]).toEqual([true, true]);
  });

  it('is none where it is no text, no file, or short', async () => {
    writeFileSync(`${folder}/none.htrace`, 'm 0 1 2\n');
    writeFileSync(`${folder}/empty.htrace`, '%htrace 1\n');
    for (const name of ['none.htrace', 'empty.htrace', 'nowhere.htrace', '.']) {
      expect(await open(`${folder}/${name}`), name).toBeUndefined();
    }
    expect(await openPassingText(written(linesWith()), { order: 'file', requestedPeakBytes })).toBeUndefined();
  });
});
