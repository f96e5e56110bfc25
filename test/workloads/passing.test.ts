import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { openPassingTrace } from '../../workloads/trace/passing.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** More than two pieces of rows. */
const EVENTS = 80_000;
let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});

type More = Partial<Omit<RunOptions, 'events'>>;

async function resultOf(events: EventBuffer | PassingTrace, allocator: string, more: More = {}) {
  const spec = parseAllocator(allocator, 4);
  const { engine: _, ...result } = await runInMode({ ...more, events, workload: 'w', spec, cpus: 4 });
  return result;
}

async function expectSame(path: string, allocator: string, more: More = {}) {
  const passing = openPassingTrace(path, more.mode === 'virtual' ? 'program' : 'file')!;
  expect(passing).toBeDefined();
  const found = await resultOf(passing, allocator, more);
  expect(found).toEqual(await resultOf(await readTrace(path), allocator, more));
  return found;
}

async function stored(name: string, workload: string): Promise<string> {
  const path = `${folder}/${name}.htb`;
  await writeTrace(path, (await resolveWorkload(workload)).events);
  return path;
}

/** What a recorder writes: call sites, marks of all kinds, samples with what the kernel said; by so many threads. */
function recordedLines(threads: number): string[] {
  const marks = ['', ' ~', ' @1', ' @2', ' ~ @1', ' ! @2'];
  const lines = ['%htrace 2', '%frame 1 main', '%frame 2 work', '%site 1 0 1', '%site 2 1 2'];
  for (let i = 0; lines.length < EVENTS; i++) {
    const t = i % threads;
    const isWide = i % 5003 === 0;
    const mark = isWide ? ' ~' : (marks[(i * 7) % 11] ?? '');
    if (i % 9973 === 0) lines.push(`= at ${i}`, `! VmRSS ${4096 * (i + 1)} blocks ${i}`);
    lines.push(`m ${t} ${i} ${isWide ? 2 ** 32 : i % 700}${mark}`);
    if (mark.includes('!')) continue;
    if (mark.includes('~') && i % 700 > 9) lines.push(`w ${t} ${i} 3 5`);
    if (i % 5 === 0 && !isWide) lines.push(`r ${t} ${i} ${i % 900}${i % 900 === 0 ? '' : ' @1'}`);
    if (i % 3 !== 0 && !(i % 5 === 0 && !isWide && i % 900 === 0)) lines.push(`f ${t} ${i}`);
  }
  return lines;
}

function parse(lines: readonly string[]): EventBuffer {
  const parser = createTraceParser();
  parser.push(Buffer.from(`${lines.join('\n')}\n`));
  return parser.finish();
}

describe('a trace that passes', () => {
  it.each([
    ['glibc', `stress:profile=mix,events=${EVENTS},seed=3`],
    ['jemalloc', `stress:profile=mix,events=${EVENTS},seed=4`],
    ['glibc:arena_max=2', `stress:profile=exits,events=${EVENTS},seed=5,threads=6`],
    ['zendmm@8.2+glibc', 'php-pool:requests=8'],
  ])('gives under %s what the whole gives: %s', async (allocator, workload) => {
    const path = await stored('same', workload);
    expect((await expectSame(path, allocator, { sampleEvery: 4_001 })).samples.length).toBeGreaterThan(1);
  });

  it.each([
    ['glibc', 'mixed', false],
    ['jemalloc', 'bins-dominated', false],
    ['zendmm@8.2+glibc', 'mixed', true],
  ] as const)('gives under %s in virtual time what the whole gives: %s', async (allocator, workload, isRequest) => {
    const path = `${folder}/virtual.htb`;
    await writeTrace(path, benchTrace(workload, EVENTS, isRequest));
    await expectSame(path, allocator, { mode: 'virtual', sampleEvery: 4_001 });
    await expectSame(path, allocator, { mode: 'virtual', kernel: { rlimitAs: 3_000_000 } });
  });

  it.each([
    ['glibc', 4, 'lockstep'],
    ['jemalloc', 4, 'lockstep'],
    ['glibc', 1, 'virtual'],
  ] as const)('has marks, call sites and observations: %s, %i threads, %s', async (allocator, threads, mode) => {
    const path = `${folder}/recorded.htb`;
    const events = parse(recordedLines(threads));
    expect([
      events.marks.rows.length > EVENTS / 10,
      events.observations.length > 2,
      events.sites !== undefined,
    ]).toEqual([true, true, true]);
    await writeTrace(path, events);
    const { recordedProcess } = await expectSame(path, allocator, { mode, sampleEvery: 4_001 });
    expect(recordedProcess).not.toBeNull();
  });

  it('has no times but in file order, and one thread where threads have their own', async () => {
    const timed = ['%htrace 1', 'm 0 1 5', '+ 7', 'f 0 1'];
    const threaded = ['%htrace 1', 'm 0 1 5', 'm 1 2 5'];
    const found = [];
    for (const lines of [timed, threaded]) {
      await writeTrace(`${folder}/x.htb`, parse(lines));
      found.push(
        ...(['program', 'own', 'file'] as const).map((order) => openPassingTrace(`${folder}/x.htb`, order)?.length),
      );
    }
    expect(found).toEqual([undefined, undefined, 3, undefined, 2, 2]);
  });

  it('tells of blocks that failed, and of what was requested without them', async () => {
    const path = await stored('failing', `stress:profile=mix,events=${EVENTS},seed=6`);
    const { summary } = await expectSame(path, 'glibc', { kernel: { rlimitAs: 2_000_000 } });
    expect(summary.failedAllocations).toBeGreaterThan(0);
    expect(summary.requestedPeakBytes).toBeLessThan((await readTrace(path)).requestedPeakBytes);
  });

  it('passes samples at their places, in any piece', async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) =>
      i % 9999 === 0 ? `= at ${i}` : `m ${i % 3} ${i} ${i % 700}`,
    );
    const path = `${folder}/samples.htb`;
    await writeTrace(path, parse(['%htrace 2', ...lines, 'exit 0']));
    const { samples } = await expectSame(path, 'jemalloc');
    expect(samples.map(({ label }) => label)).toEqual(['at 0', 'at 9999', 'at 19998', 'at 29997', 'at 39996', '(end)']);
  });

  it('begins again from the first row', async () => {
    const path = await stored('again', `stress:profile=mix,events=${EVENTS},seed=7`);
    const whole = await readTrace(path);
    const { rows, again, length } = openPassingTrace(path, 'file')!;
    for (const open of [() => rows, again]) {
      const { head, slot, a, b, mask, bring } = open();
      for (let row = 0, there = 0; row < length; row++) {
        if (row === there) there = bring(row);
        const found = [head[row & mask], slot[row & mask], a[row & mask], b[row & mask]];
        if (found.some((value, i) => value !== [whole.head, whole.slot, whole.a, whole.b][i]![row]))
          expect(found, `row ${row}`).toEqual([whole.head[row], whole.slot[row], whole.a[row], whole.b[row]]);
      }
    }
  });

  it('takes half a megabyte, and not 16 bytes an event', async () => {
    const { rows } = openPassingTrace(await stored('small', `stress:profile=mix,events=${EVENTS}`), 'file')!;
    expect(rows.head.byteLength + rows.slot.byteLength + rows.a.byteLength + rows.b.byteLength).toBe(2 ** 19);
  });

  it.each([
    ['generated', async () => (await resolveWorkload(`stress:profile=mix,events=${EVENTS},seed=8`)).events],
    ['recorded', async () => parse(recordedLines(3))],
  ])('is damaged in the words of who reads it whole, wherever it is: %s', async (_, make) => {
    const path = `${folder}/damaged.htb`;
    await writeTrace(path, await make());
    const bytes = readFileSync(path);
    const whyNot = async (work: () => Promise<unknown>) => {
      try {
        await work();
        return 'nothing is wrong';
      } catch (error) {
        return String(error);
      }
    };
    const byte = fc.oneof(fc.nat({ max: 3000 }), fc.nat({ max: bytes.length - 1 }));
    await fc.assert(
      fc.asyncProperty(byte, fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, isCut) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= change;
        const file = `${folder}/broken.htb`;
        writeFileSync(file, isCut ? changed.subarray(0, at) : changed);
        const expected = await whyNot(() => readTrace(file));
        const passes = async () => {
          const passing = openPassingTrace(file, 'file');
          // Without one, whoever asks reads the whole.
          return passing ? resultOf(passing, 'glibc') : readTrace(file);
        };
        expect(await whyNot(passes)).toBe(expected);
        expect(expected).not.toBe('nothing is wrong');
      }),
      { numRuns: 15 },
    );
  });

  it('is looked at to its end, though the run ends before', async () => {
    const lines = Array.from({ length: 70_000 }, (_, i) => `m 0 ${i + 1} ${i % 300}`);
    const path = `${folder}/ends.htb`;
    await writeTrace(path, parse(['%htrace 1', 'em 0 0 40', 'ef 1 0', ...lines])); // another thread's heap
    const allocator = 'zendmm@8.2+glibc';
    expect((await expectSame(path, allocator)).abort?.event).toBe(1);
    const bytes = readFileSync(path);
    bytes[bytes.length - 100]! ^= 1; // of the last rows
    writeFileSync(path, bytes);
    await expect(resultOf(openPassingTrace(path, 'file')!, allocator)).rejects.toThrow('damaged');
  });

  it('is none in text, without an event, or in no file', async () => {
    await writeTrace(`${folder}/empty.htb`, parse(['%htrace 1']));
    await writeTrace(`${folder}/text.htrace`, (await resolveWorkload('rows:threads=2,rounds=3')).events);
    for (const name of ['empty.htb', 'text.htrace', 'nowhere.htb', '.'])
      expect(openPassingTrace(`${folder}/${name}`, 'file'), name).toBeUndefined();
  });
});
