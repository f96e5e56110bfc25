import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { createTraceParser, type ParserOptions } from '../../workloads/trace/text/parser.ts';
import { temporaryFolder } from '../helpers/temporary.ts';
import { naiveTrace, viewOf } from './naive-trace.ts';
import { traceLines } from './trace-program.ts';

function parse(text: string, options: ParserOptions & { chunk?: number } = {}): EventBuffer {
  const bytes = new TextEncoder().encode(text);
  const parser = createTraceParser({ source: 'T', ...options });
  const chunk = options.chunk ?? bytes.length;
  for (let at = 0; at < bytes.length; at += chunk) parser.push(bytes.slice(at, at + chunk));
  return parser.finish();
}

const trace = (...lines: string[]) => `%htrace 1\n${lines.join('\n')}\n`;
const rowsOf = (...lines: string[]) =>
  viewOf(parse(trace(...lines))).rows.map((r) => `${r.event} ${r.thread} ${r.slot} ${r.a} ${r.b}`);

function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('the compiled events', () => {
  it('agree with a naive reading of the rules, for any trace, however the bytes are cut', () => {
    fc.assert(
      fc.property(traceLines, fc.integer({ min: 1, max: 40 }), fc.boolean(), (lines, chunk, cr) => {
        const text = `%htrace 1\n${lines.map((line) => `${line}${cr ? '\r' : ''}\n`).join('')}`;
        expect(viewOf(parse(text, { chunk }))).toEqual(naiveTrace(lines));
      }),
      { numRuns: 150 },
    );
  });

  it('use object slots again, last in, first out', () => {
    expect(rowsOf('m 0 10 1', 'm 0 20 2', 'm 0 30 3', 'f 0 10', 'f 0 30', 'm 0 7 4', 'm 0 8 5', 'm 0 9 6')).toEqual([
      'm 0 1 1 0',
      'm 0 2 2 0',
      'm 0 3 3 0',
      'f 0 1 0 0',
      'f 0 3 0 0',
      'm 0 3 4 0',
      'm 0 1 5 0',
      'm 0 4 6 0',
    ]);
  });

  it('give an exited thread’s slot away only behind the event after its exit', () => {
    const events = parse(trace('tb 1', 'tb 2', 'te 1', 'tb 3', 'tb 4', 'te 2', '+ 1', 'tb 5', 'te 5', 'm 5 1 1'));
    expect(events.begins).toEqual([
      { row: 0, thread: 1, id: 1 },
      { row: 1, thread: 2, id: 2 },
      { row: 3, thread: 3, id: 3 },
      { row: 4, thread: 1, id: 4 },
      { row: 7, thread: 2, id: 5 },
      { row: 9, thread: 4, id: 5 },
    ]);
    expect(events.threadSlots).toBe(5);
  });

  it('let + and = belong to the thread of the event before, and to the main thread behind an exit', () => {
    expect(rowsOf('m 3 1 1', '+ 7', '= x', 'te 3', '+ 8', 'te 0')).toEqual([
      'm 1 1 1 0',
      '+ 1 0 7 0',
      '= 1 0 0 0',
      'te 1 0 0 0',
      '+ 0 0 8 0',
      'tb 0 0 0 0',
    ]);
  });

  it('release a request’s blocks in the order of their allocation, by thread number', () => {
    const events = parse(trace('em 5 1 1', 'em 5 2 2', 'm 5 3 3', 'em 0 4 4', 'er 5 1 10', 'te 5', 'em 5 6 6', 'ee 5'));
    expect([...events.requestFrees]).toEqual([1, 2, 5]);
    expect(events.hasRequestEvents).toBe(true);
    expect(rowsOf('em 0 1 1', 'ee 0', 'm 0 1 2')).toEqual(['em 0 1 1 0', 'ee 0 0 0 1', 'm 0 1 2 0']);
  });

  it('turn the realloc of a dead object into a malloc, of size 0 too', () => {
    expect(rowsOf('r 0 1 5', 'r 0 1 0', 'r 0 1 0', 'f 0 1')).toEqual([
      'm 0 1 5 0',
      'r 0 1 0 5',
      'm 0 1 0 0',
      'f 0 1 0 0',
    ]);
  });

  it('take headers, comments, blank lines, CRLF, several spaces, a byte order mark and a last line without end', () => {
    const text =
      '\ufeff%htrace 1\r\n%touch none\n%name a b\n%source é\n\n# x\n  # y\nm  0 1   5 \r\n+5\n=  two words\nf 0 1';
    const events = parse(text);
    expect(events).toMatchObject({ length: 4, touch: 'none', name: 'a b', source: 'é', labels: ['two words'] });
  });

  it('keep a clock step of 53 bits', () => {
    expect(rowsOf('+ 9007199254740991')).toEqual(['+ 0 0 4294967295 2097151']);
  });

  it('are the same for very many lines as for few', () => {
    const lines = Array.from({ length: 9000 }, (_, i) => (i % 3 === 2 ? `f 0 ${i - 1}` : `m ${i % 5} ${i} ${i}`));
    expect(viewOf(parse(trace(...lines), { chunk: 4097 }))).toEqual(naiveTrace(lines));
  });
});

describe('a broken trace', () => {
  it.each([
    ['', 'T: found an empty file, expected a trace that starts with %htrace 1'],
    ['m 0 1 2\n', 'T:1:1: found "m 0 1 2", expected %htrace 1'],
    ['# only this\n', 'T:1:1: found the end of the file, expected %htrace 1'],
    ['%name x\n%htrace 1\n', 'T:1:1: found "%name x", expected %htrace 1'],
    ['%htrace 3\n', 'T:1:9: found version "3", expected version 1 or 2'],
    ['%htrace 1\n%htrace 2\n', 'T:2:9: found version "2", expected one version'],
    [trace('%touch some'), 'T:2:8: found "some", expected full, first or none'],
    [trace('m 0 1 2', '%name x'), 'T:3:1: found the header %name behind an event, expected headers before the events'],
    [trace('%tuch none'), 'T:2:1: found "%tuch", expected %htrace, %touch, %name or %source'],
    [trace('m 0 1 5', 'f 0 2'), 'T:3:5: found object 2, which is not live, expected a live object'],
    [trace('w 0 2 0 1'), 'T:2:5: found object 2, which is not live, expected a live object'],
    [trace('m 0 1 5', 'm 3 1 5'), 'T:3:5: found object 1, which is live already, expected an object that is not live'],
    [trace('em 0 1 5', 'f 0 1'), 'T:3:5: found object 1 of emalloc, expected ef or er, or an object of malloc'],
    [trace('m 0 1 5', 'er 0 1 9'), 'T:3:6: found object 1 of malloc in an e… event, expected an object of emalloc'],
    [trace('m 0 1 10000000000'), 'T:2:7: found "10000000000", expected a size in bytes, at most 4294967295'],
    [trace('m 4294967295 1 1'), 'T:2:3: found "4294967295", expected a thread number, at most 4294967294'],
    [trace('m 0 4294967296 1'), 'T:2:5: found "4294967296", expected an object id, at most 4294967295'],
    [trace('m 0 1'), 'T:2:6: found the end of the line, expected a size in bytes'],
    [trace('m 0 1 -5'), 'T:2:7: found "-5", expected a size in bytes, a decimal number'],
    [trace('m 0 1 0x10'), 'T:2:7: found "0x10", expected a size in bytes, a decimal number'],
    [trace('m 0 1 5 6'), 'T:2:9: found "6", expected the end of the line'],
    [trace('f 0 1 6'), 'T:2:7: found "6", expected the end of the line'],
    [
      trace('a 0 1 24 6'),
      'T:2:5: found an alignment that is no power of two, expected a power of two up to 2147483648',
    ],
    [trace('opt 0 M_ARENAS 6'), /^T:2:7: found "M_ARENAS", expected M_MXFAST, .*M_ARENA_MAX, memory_limit$/],
    [trace('+ 9007199254740992'), 'T:2:3: found "9007199254740992", expected nanoseconds, at most 9007199254740991'],
    [trace('+ 9007199254740991', '+ 1'), 'T:3:3: found a clock beyond 9007199254740992 ns, expected less in all'],
    [trace('hello world'), /^T:2:1: found "hello", expected an event: m, c, /],
    [trace('=x'), 'T:2:1: found "=x", expected = and a label behind a space'],
    [
      trace('c 0 1 65536 65536'),
      'T:2:5: found a block of count × size above 4294967295 bytes, expected at most 4294967295',
    ],
  ])('%j', (text, message) => {
    if (message instanceof RegExp) expect(refusal(text)).toMatch(message);
    else expect(refusal(text)).toBe(message);
  });

  it('is refused at the same place however its bytes are cut', () => {
    const text = trace('m 0 1 5', 'm 0 2 5', 'f 0 3', 'f 0 1');
    for (let chunk = 1; chunk < text.length; chunk++) {
      expect(() => parse(text, { chunk })).toThrow('T:4:5: found object 3, which is not live');
    }
  });

  it('keeps the numbers of its other events when it is read leniently', () => {
    const found: string[] = [];
    const events = parse(trace('m 0 1 5', 'f 9 8', 'nonsense', 'm 0 1 7', '%name late', 'f 0 1'), {
      onViolation: ({ line, rule }) => found.push(`${line} ${rule}`),
    });
    expect(found).toEqual(['3 object-dead', '4 event-unknown', '5 object-live', '6 header-late']);
    expect(viewOf(events).rows.map((r) => r.event)).toEqual(['m', 'left out', 'left out', 'left out', 'f']);
    expect(events.skipped).toBe(3);
    expect(events.begins).toEqual([{ row: 1, thread: 1, id: 9 }]); // it began, whatever became of its event
  });

  it('keeps the number of an event whose wrong field begins with the sign of a header', () => {
    const events = parse(trace('m 0 %1 5', 'm 0 1 5'), { onViolation: () => {} });
    expect(viewOf(events).rows.map((r) => r.event)).toEqual(['left out', 'm']);
  });

  it('never fails with anything but a UserError: garbage', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'm',
        'f',
        'r',
        'c',
        'a',
        'w',
        'em',
        'ee',
        'te',
        'opt',
        '+',
        '=',
        '%',
        '#',
        ' ',
        '\n',
        '\r',
        '0',
        '1',
      ),
      fc.constantFrom('4294967295', '99999999999999999999', '%htrace 1\n', '%touch', '-1', '\ufeff', 'M_TOP_PAD'),
      fc.string(),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        (parts, header, chunk) => {
          const text = (header ? '%htrace 1\n' : '') + parts.join(' ');
          try {
            parse(text, { chunk });
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            expect((error as Error).message).not.toContain('\n');
          }
          try {
            parse(text, { chunk, onViolation: () => {}, onNote: () => {} });
          } catch (error) {
            expect(error).toBeInstanceOf(UserError); // no header
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never fails with anything but a UserError: random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const parser = createTraceParser({ source: 'T' });
        try {
          parser.push(new TextEncoder().encode('%htrace 1\n'));
          parser.push(bytes);
          parser.finish();
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });
});

describe('files', () => {
  const text = trace('m 0 1 5', 'm 0 2 6', '= here', 'f 0 1', '+ 12', 'f 0 2');

  it('are plain or compressed, whatever their name says', async () => {
    const folder = temporaryFolder();
    for (const [name, bytes] of [
      ['a.htrace', Buffer.from(text)],
      ['b.htrace', gzipSync(text)],
      ['c.gz', Buffer.from(text)],
      ['d.gz', Buffer.concat([gzipSync(text.slice(0, 20)), gzipSync(text.slice(20))])],
    ] as const) {
      writeFileSync(`${folder}/${name}`, bytes);
      expect(viewOf(await readTrace(`${folder}/${name}`))).toEqual(viewOf(parse(text)));
    }
  });

  it('that are cut off while compressed are refused at every length', async () => {
    const folder = temporaryFolder();
    const packed = gzipSync(text);
    for (let length = 0; length < packed.length; length++) {
      const path = `${folder}/cut-${length}.gz`;
      writeFileSync(path, packed.subarray(0, length));
      await expect(readTrace(path), `${length} bytes`).rejects.toThrow(UserError);
    }
  });

  it('give what there is of a cut-off one when read leniently', async () => {
    const folder = temporaryFolder();
    const long = trace(...Array.from({ length: 5000 }, (_, i) => `m 0 ${i} ${(i * 7919) % 4001}`));
    const packed = gzipSync(long);
    writeFileSync(`${folder}/half.gz`, packed.subarray(0, packed.length / 2));
    const events = await readTrace(`${folder}/half.gz`, { lenient: true });
    expect(events.skipped).toBe(1);
    expect(events.length).toBeGreaterThan(1000);
    await expect(readTrace(`${folder}/half.gz`)).rejects.toThrow(
      /half\.gz:\d+:1: found compressed data that break off/,
    );
  });

  it('that are damaged before their first line are no empty file to those who want every mistake', async () => {
    const path = `${temporaryFolder()}/damaged.gz`;
    const packed = gzipSync('x');
    packed[packed.length - 8]! ^= 1; // its checksum
    writeFileSync(path, packed);
    const found: string[] = [];
    await readTrace(path, { onViolation: (violation) => found.push(violation.found) }).catch(() => {});
    expect(found.join('\n')).toMatch(/damaged compressed data/);
  });

  it('that are missing, empty or a directory are refused in one line', async () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/empty`, '');
    await expect(readTrace(`${folder}/none`)).rejects.toThrow(/none: found no such file, expected a trace file$/);
    await expect(readTrace(`${folder}/empty`)).rejects.toThrow(/empty: found an empty file, expected a trace that/);
    await expect(readTrace(folder)).rejects.toThrow(/found a directory, expected a trace file$/);
    writeFileSync(`${folder}/empty.gz`, gzipSync(''));
    await expect(readTrace(`${folder}/empty.gz`)).rejects.toThrow(/found an empty file/);
  });
});
