import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { type CutOptions, cutTrace } from '../../workloads/trace/cut.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { viewOf } from './naive-trace.ts';
import { traceLines } from './trace-program.ts';

function parse(lines: readonly string[]): EventBuffer {
  const parser = createTraceParser({ source: 'T' });
  parser.push(new TextEncoder().encode(`%htrace 1\n${lines.join('\n')}\n`));
  return parser.finish();
}

function cutLines(lines: readonly string[], options: Partial<CutOptions>): string[] {
  const part = cutTrace(parse(lines), { from: 0, to: Infinity, live: 'prefix', ...options });
  const text = Buffer.concat([...formatTrace(part)]).toString();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('%'));
}

const lines = [
  'm 0 1 10',
  'opt 0 M_TOP_PAD 7',
  'a 2 2 64 20',
  'r 0 1 30',
  'f 0 1',
  'm 2 3 40',
  'f 0 2',
  'te 2',
  'f 0 3',
];

describe('a part of a trace', () => {
  it('allocates first what is live, in its order and at its size, after its threads and options', () => {
    expect(cutLines(lines, { from: 4 })).toEqual([
      'tb 2',
      'opt 0 M_TOP_PAD 7',
      'm 0 1 30',
      'a 2 2 64 20',
      'f 0 1',
      'm 2 1 40',
      'f 0 2',
      'te 2',
      'f 0 1',
    ]);
  });

  it('leaves out what happens to it, where it is told so', () => {
    expect(cutLines(lines, { from: 4, live: 'drop' })).toEqual([
      'tb 2',
      'opt 0 M_TOP_PAD 7',
      'm 2 1 40',
      'te 2',
      'f 0 1',
    ]);
  });

  it('keeps the blocks of some threads, with what others do to them', () => {
    expect(cutLines(lines, { threads: new Set([2]) })).toEqual(['a 2 1 64 20', 'm 2 2 40', 'f 0 1', 'te 2', 'f 0 2']);
  });

  it('opens the requests that are open', () => {
    expect(cutLines(['eb 3', 'em 3 1 5', 'em 3 2 6', 'ef 3 1', 'ee 3'], { from: 3 })).toEqual([
      'tb 3',
      'eb 3',
      'em 3 1 5',
      'em 3 2 6',
      'ef 3 1',
      'ee 3',
    ]);
  });

  it('is a trace that keeps the rules, for any trace and any part', () => {
    const bound = fc.nat(130);
    fc.assert(
      fc.property(
        traceLines,
        bound,
        bound,
        fc.constantFrom('prefix', 'drop'),
        fc.option(fc.subarray([0, 1, 2, 3, 70000, 4294967294])),
        (program, x, y, live, threads) => {
          const part = cutTrace(parse(program), {
            from: Math.min(x, y),
            to: Math.max(x, y),
            live: live as 'prefix' | 'drop',
            ...(threads && { threads: new Set(threads) }),
          });
          expect(part.skipped).toBe(0);
          const again = Buffer.concat([...formatTrace(part)]);
          const parser = createTraceParser({ source: 'T' });
          parser.push(again);
          expect(viewOf(parser.finish())).toEqual(viewOf(part));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('from the first to the last event is the whole', () => {
    fc.assert(
      fc.property(traceLines, (program) => {
        const whole = parse(program);
        expect(viewOf(cutTrace(whole, { from: 0, to: Infinity, live: 'prefix' }))).toEqual(viewOf(whole));
      }),
      { numRuns: 100 },
    );
  });
});
