import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, exactA, exactB, hasFailed } from '../../sim/contract/event.ts';
import { anonymizeTrace } from '../../workloads/trace/anonymize.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { cutTrace } from '../../workloads/trace/cut.ts';
import { traceStatistics } from '../../workloads/trace/statistics.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { observedRun } from '../helpers/observed-run.ts';
import { viewOf } from './naive-trace.ts';
import { HEADERS_2, traceLines2 } from './trace-program.ts';

function parse(text: string): EventBuffer {
  const parser = createTraceParser({ source: 'T' });
  parser.push(new TextEncoder().encode(text));
  return parser.finish();
}

const trace = (...lines: string[]) => `%htrace 2\n${lines.join('\n')}\n`;
const textOf = (events: EventBuffer) => Buffer.concat([...formatTrace(events)]).toString();

function throughHtb(events: EventBuffer): EventBuffer {
  const input = createHtbInput('B');
  for (const part of encodeHtb(events)) input.push(part);
  return input.finish();
}

/** Everything but the columns, and the columns as far as they are used. */
function contents({ head, slot, a, b, sites, ...rest }: EventBuffer) {
  return { ...rest, ...viewOf({ head, slot, a, b, sites, ...rest }), sites: sites?.slice(0, rest.length) };
}

describe('version 2', () => {
  it('comes back the same from text and from the binary form', () => {
    fc.assert(
      fc.property(traceLines2, (lines) => {
        const events = parse(`${[...HEADERS_2, ...lines].join('\n')}\n`);
        expect(contents(parse(textOf(events)))).toEqual(contents(events));
        expect(contents(throughHtb(events))).toEqual(contents(events));
      }),
      { numRuns: 150 },
    );
  });

  it('is what its lines say', () => {
    const events = parse(
      trace(
        '%frame 1 f',
        '%site 1 0 1',
        'm 0 7 5000000000 ~ @1',
        'm 0 8 64 !',
        'w 0 7 4999999990 99',
        '= s',
        '! VmRSS 8 x 9',
        'exit 0',
      ),
    );
    expect([exactA(events, 0), exactA(events, 1)]).toEqual([5000000000, 64]);
    expect([exactA(events, 2), exactB(events, 2)]).toEqual([4999999990, 10]);
    expect([hasFailed(events, 0), hasFailed(events, 1)]).toEqual([false, true]);
    expect(events.slot[1]).toBe(0);
    expect(events.sites?.[0]).toBe(1);
    expect(events.frames[events.siteFrame[1]!]).toEqual({ functionName: 'f', file: '', line: 0, module: '' });
    expect(events.observations).toEqual([{ row: 3, values: [['VmRSS', 8], ['x', 9]] }]); // biome-ignore format: one line
    expect(events.exitRow).toBe(4);
    expect(traceStatistics(events)).toMatchObject({
      failedAllocations: 1,
      knownWrites: 1,
      exitEvent: 4,
      requestedPeakBytes: 5000000000,
      liveBytesAtEnd: 5000000000,
    });
  });

  it('writes as version 1 what has nothing of version 2', () => {
    expect(textOf(parse(trace('m 0 1 5', 'f 0 1')))).toBe('%htrace 1\nm 0 1 5\nf 0 1\n');
  });

  it('keeps texts with any characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (command, functionName) => {
        const events = parse(trace('m 0 1 5'));
        const frame = { functionName, file: 'a:b\t\\.c', line: 3, module: ' m\n' };
        const recorded = { ...events.recorded, command, environment: [['X', functionName] as const] };
        const changed = { ...events, recorded, frames: [events.frames[0]!, frame] };
        const again = parse(textOf(changed));
        expect(again.recorded).toEqual(recorded);
        expect(again.frames).toEqual(changed.frames);
      }),
    );
  });

  it.each([
    [
      trace('m 0 1 9007199254740992'),
      'T:2:7: found "9007199254740992", expected a size in bytes, at most 9007199254740991',
    ],
    [trace('m 0 1 5 @1'), 'T:2:5: found a call site that no %site line names, expected one from above'],
    [trace('f 0 1 !'), 'T:2:7: found "!", expected the end of the line'],
    [trace('m 0 1 5 !~'), 'T:2:9: found "!~", expected the end of the line'],
    [trace('m 0 1 5', '! VmRSS 5'), 'T:3:1: found ! behind another event, expected ! behind = alone'],
    [trace('= s', '! VmRSS'), 'T:3:8: found the end of the line, expected bytes'],
    [trace('%site 1 0 1'), 'T:2:11: found "1", expected a frame from above, at most 0'],
    [trace('%frame 2 f'), 'T:2:8: found frame 2, expected 1: they are numbered from 1 in order'],
    [trace('%frame 1 f', '%site 1 1 1'), 'T:3:9: found "1", expected the calling site, one from above or 0, at most 0'],
    [
      trace('%command a\\b'),
      'T:2:9: found " a\\\\b", expected the command, and behind a backslash only n, r, s, t or another one',
    ],
    [trace('ctl 0 arena.x.purge'), /^T:2:7: found "arena\.x\.purge", expected arena\.<i>\.purge, /],
    [trace('ctl 0 arena.4097.purge'), /^T:2:7: found "arena\.4097\.purge", expected arena/],
    [trace('ctl 0 background_thread 2'), 'T:2:25: found "2", expected a value of background_thread'],
    [trace('ctl 0 arenas.dirty_decay_ms -2'), 'T:2:29: found "-2", expected a value of arenas.dirty_decay_ms'],
    [trace('ctl 0 thread.tcache.flush 1'), 'T:2:27: found "1", expected the end of the line'],
    ['%htrace 1\nctl 0 thread.tcache.flush\n', /^T:2:1: found "ctl", expected an event: m, /],
    ['%htrace 1\nexit 0\n', /^T:2:1: found "exit", expected an event: m, /],
    ['%htrace 1\nm 0 1 5 ~\n', 'T:2:9: found "~", expected the end of the line'],
    ['%htrace 1\n%command x\n', 'T:2:1: found "%command", expected %htrace, %touch, %name or %source'],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(UserError);
    expect(() => parse(text)).toThrow(message);
  });

  it('is cut with its marks, sites and what was written before', () => {
    const events = parse(
      `${HEADERS_2.join('\n')}\nm 0 1 100000 ~ @2\nw 0 1 0 5\n= a\n! VmRSS 1\nm 0 9 77 ! @1\nw 0 1 8192 1\n= b\n! VmRSS 2\nexit 0\n`,
    );
    const part = textOf(cutTrace(events, { from: 3, to: 9, live: 'prefix' }));
    expect(part.split('\n').filter((line) => !line.startsWith('%'))).toEqual([
      'm 0 1 100000 ~ @2',
      'w 0 1 0 5',
      'm 0 0 77 ! @1',
      'w 0 1 8192 1',
      '= b',
      '! VmRSS 2',
      'exit 0',
      '',
    ]);
  });

  it('without names keeps sizes, order and times', () => {
    const text = `${HEADERS_2.join('\n')}\n%name secret\nm 0 1 5 ~ @2\n+ 7\nm 811 2 9\n= secret label\n! VmRSS 4096\n`;
    expect(textOf(anonymizeTrace(parse(text)))).toBe('%htrace 2\nm 0 1 5 ~\n+ 7\nm 1 2 9\n= sample 1\n! VmRSS 4096\n');
  });
});

describe.each(['lockstep', 'virtual'] as const)('in %s', (mode) => {
  const memory = async (text: string, allocator = 'glibc') => {
    const events = parse(text);
    const result = await runInMode({ events, workload: 'T', spec: parseAllocator(allocator, 2), cpus: 2, mode });
    return result.samples.map((sample) => sample.rssBytes);
  };

  it.each(['glibc', 'jemalloc', 'zendmm'])(
    'a block whose writes are known costs what is written: %s',
    async (allocator) => {
      // The same as %touch none with every other block written in full
      const [known, told] = await Promise.all([
        memory(
          trace(
            'm 0 1 300',
            'em 0 2 50000',
            'm 0 3 8000000 ~',
            'em 0 4 6000000 ~',
            'c 0 5 3 900',
            'w 0 3 4096 1',
            'w 0 4 9000 1',
            'r 0 1 9000000 ~',
            '= s',
          ),
          allocator,
        ),
        memory(
          `%htrace 1\n%touch none\nm 0 1 300\nw 0 1 0 300\nem 0 2 50000\nw 0 2 0 50000\nm 0 3 8000000\nem 0 4 6000000\nc 0 5 3 900\nw 0 5 0 2700\nw 0 3 4096 1\nw 0 4 9000 1\nr 0 1 9000000\n= s\n`,
          allocator,
        ),
      ]);
      expect(known).toEqual(told);
    },
  );

  it('an allocation that failed leaves no block', async () => {
    const lines = (mark: string) => trace('m 0 1 5000', `m 0 2 900000000${mark}`, 'm 0 3 1000', '= s');
    const [failed, had] = [(await memory(lines(' !')))[0]!, (await memory(lines('')))[0]!];
    expect(had - failed).toBeGreaterThan(899000000);
    expect((await memory(trace('m 0 1 5000', 'm 0 3 1000', '= s')))[0]).toBe(failed);
  });

  it('a realloc that failed leaves the block as it was', async () => {
    const text = trace('m 0 1 5000', 'r 0 1 900000000 !', 'w 0 1 0 5000', '= s', 'f 0 1');
    expect(await memory(text)).toEqual(await memory(trace('m 0 1 5000', '= s', 'f 0 1')));
  });

  it('one that makes a block shorter needs no memory: then it is, for all figures and later writes', async () => {
    for (const allocator of ['glibc', 'jemalloc', 'zendmm@5.6']) {
      const text = trace('r 0 1 139215', 'r 0 1 1280 !', 'w 0 1 0 139215', '= s', 'f 0 1');
      expect(await memory(text, allocator)).toEqual(
        await memory(trace('r 0 1 139215', 'r 0 1 1280', '= s', 'f 0 1'), allocator),
      );
    }
  });

  it('address space that jemalloc gives up, since it has no memory for a record, is still somewhere', async () => {
    // One leaf of the page tree is needed where the free extent is cut, and the kernel has no memory for it.
    const text = trace('m 0 4 5000000000', 'm 0 1 12000000000', 'f 0 1', 'm 0 2 5000000000 !', 'm 0 3 100000', '= s');
    const events = parse(text);
    const options = { events, workload: 'T', cpus: 1, mode, check: 'samples' } as const;
    const { abort, samples } = await runInMode({ ...options, spec: parseAllocator('jemalloc', 1) });
    expect(abort).toBeNull();
    expect(samples.map(({ liveBlocks }) => liveBlocks)).toEqual([2, 2]);
  });

  it('a size that nobody has is no block, under any allocator', async () => {
    for (const allocator of ['glibc', 'jemalloc', 'zendmm', 'zendmm@5.6']) {
      const text = trace(
        'm 0 1 5000',
        'm 0 2 9007199254740991',
        'c 0 3 9007199254740991 5',
        'em 0 4 9007199254740991',
        '= s',
      );
      const [rss] = await memory(text, allocator);
      expect(rss).toBeLessThan(10e6);
    }
  });

  it('gc_mem_caches gives back what Zend keeps cached', async () => {
    const lines = ['eb 0', ...Array.from({ length: 3000 }, (_, i) => `em 0 ${i} 3000`)];
    lines.push(...Array.from({ length: 2998 }, (_, i) => `ef 0 ${i + 1}`), '= before', 'gc 0', '= after');
    const [before, after] = await memory(trace(...lines), 'zendmm');
    expect(after).toBeLessThan(before!);
  });
});

describe('a block of more than 4 GiB', () => {
  it.each(['glibc', 'jemalloc'])(
    'counts with its whole size under %s, and what is written far behind is resident',
    async (allocator) => {
      const events = parse(
        trace('m 0 1 6000000000 ~', 'w 0 1 5000000000 8192', '= s', 'r 0 1 100', '= t', 'f 0 1', '= u'),
      );
      for (const mode of ['lockstep', 'virtual'] as const) {
        const result = await runInMode({ events, workload: 'T', spec: parseAllocator(allocator, 2), cpus: 2, mode });
        expect(result.samples.slice(0, 3).map((sample) => sample.requestedBytes)).toEqual([6000000000, 100, 0]);
        expect(result.samples[0]!.breakdown.requested).toBeGreaterThanOrEqual(8192);
        expect(result.summary.requestedPeakBytes).toBe(6000000000);
      }
    },
  );
});

describe('a process that began as a copy of one with threads', () => {
  const parent = ['m 0 1 100', 'm 1 2 100', 'm 2 3 100', 'm 3 4 100', 'fork 0'];
  const child = ['m 11 5 100', 'm 12 6 100', 'm 13 7 100', 'm 14 8 100', 'f 0 2', 'te 12', '= s'];

  it('uses the arenas of the threads that are gone, the oldest first, as glibc does; then a new one', () => {
    const events = parse(trace(...parent, ...child));
    const { run, placements } = observedRun(events, 'glibc', { check: 'events' });
    run.advance(events.length);
    const arenaOf = new Map(
      placements
        .map((line) => line.split(' '))
        .map(([row, address]) => [Number(row), Number(BigInt(`0x${address!}`) >> 26n)]),
    );
    const [first, second, third] = [1, 2, 3].map((row) => arenaOf.get(row));
    expect(new Set([first, second, third]).size).toBe(3);
    expect([5, 6, 7].map((row) => arenaOf.get(row))).toEqual([first, second, third]);
    expect([first, second, third]).not.toContain(arenaOf.get(8));
  });

  it.each(['jemalloc', 'zendmm', 'zendmm@5.6'])('keeps every invariant under %s', async (allocator) => {
    const events = parse(trace('em 1 9 50', ...parent, ...child));
    for (const mode of ['lockstep', 'virtual'] as const) {
      const spec = parseAllocator(allocator, 2);
      const result = await runInMode({ events, workload: 'T', spec, cpus: 2, mode, check: 'samples' });
      expect(result.samples.at(-1)!.liveBlocks).toBe(8);
    }
  });
});
