import { expect, it } from 'vitest';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { openCommonLines } from '../../workloads/trace/common-lines.ts';
import { SLOTS_MAX } from '../../workloads/trace/lines/layout.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import type { Violation } from '../../workloads/trace/text/violation.ts';

// A short text is read without the loop for the commonest lines: a text reads the same as a long one and as a short one.

type Columns = Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b'>;

const encoder = new TextEncoder();
const LONG = 300_000;

/** `isShown`: the text lies where the parser has room for it; `pieceRows`: the rows are handed over so many at a time. */
interface Way {
  readonly isShown?: boolean;
  readonly pieceRows?: number;
}

function read(text: string, rows: number, chunkBytes: number, { isShown, pieceRows }: Way = {}) {
  const violations: Violation[] = [];
  const pieces: number[][] = [[], [], [], []];
  const keep = (columns: readonly (Int32Array | Uint32Array)[], count: number) => {
    for (const [i, column] of columns.entries()) pieces[i]!.push(...column.subarray(0, count));
  };
  const drain = pieceRows && {
    pieceRows,
    take: ({ head, slot, a, b }: Columns, count: number) => keep([head, slot, a, b], count),
  };
  const onViolation = (violation: Violation) => violations.push(violation);
  const parser = createTraceParser({ rows, onViolation, ...(drain && { drain }) });
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.slice(at, at + chunkBytes);
    if (isShown) parser.room!.set(chunk);
    parser.push(isShown ? parser.room!.subarray(0, chunk.length) : chunk);
  }
  const { head, slot, a, b, length, ...rest } = parser.finish();
  if (!drain) keep([head, slot, a, b], length);
  return { columns: pieces, length, violations, rest };
}

function expectTheSame(lines: readonly string[], chunkBytes = 1 << 20): ReturnType<typeof read> {
  const text = `${lines.join('\n')}\n`;
  const found = read(text, LONG, chunkBytes);
  expect(found).toEqual(read(text, 0, chunkBytes));
  expect(read(text, LONG, chunkBytes, { isShown: true })).toEqual(found);
  expect(read(text, LONG, chunkBytes, { isShown: true, pieceRows: 64 })).toEqual(found);
  return found;
}

const HEADER = '%htrace 1';
/** Behind what is looked at, so that the loop goes on. */
const TAIL = Array.from({ length: 20 }, (_, i) => `m 0 ${900_000 + i} 16`);

/** A text of mallocs and frees, and some of everything else. */
function someLines(random: Random, count: number): string[] {
  const lines = [HEADER];
  const live: number[] = [];
  let nextId = random.pick([1, 90, 9_990, 999_990, 9_999_990, 99_999_990]);
  const size = () => Math.floor(10 ** (random.next() * 8));
  while (lines.length < count) {
    const t = random.chance(0.9) ? 0 : random.integer(0, 120);
    const kind = random.next();
    if (kind < 0.5 || live.length === 0) {
      live.push(nextId);
      lines.push(`m ${t} ${nextId++} ${random.chance(0.02) ? 0 : size()}`);
    } else if (kind < 0.9) {
      lines.push(`f ${t} ${live.splice(random.integer(0, live.length - 1), 1)[0]}`);
    } else if (kind < 0.93) lines.push(`r ${t} ${random.pick(live)} ${size()}`);
    else if (kind < 0.95) lines.push(`c ${t} ${nextId} 3 ${size()}`, `f ${t} ${nextId++}`);
    else if (kind < 0.96) lines.push('= here', '# there', `+ ${size()}`);
    else if (kind < 0.97) lines.push(`te ${t}`);
    else if (kind < 0.975) lines.push(`em ${t} ${nextId++} 64`);
  }
  return lines;
}

it('has WebAssembly here', () => {
  expect(openCommonLines()).toBeDefined();
});

it('reads the commonest lines as it reads all others', () => {
  const random = createRandom(1, 'common lines');
  for (let i = 0; i < 10; i++) expectTheSame(someLines(random, 400), random.pick([64, 300, 1 << 20]));
});

it('reads them wherever a chunk ends', () => {
  const events =
    'm 0 1 16, m 12 1234567 12345678, c 0 3 5 24, r 0 3 99999999, + 12345678, f 12 1234567, f 0 3, m 0 2 16';
  const lines = [HEADER, ...events.split(', ')];
  const bytes = lines.join('\n').length;
  for (let chunkBytes = HEADER.length; chunkBytes < bytes; chunkBytes++) expectTheSame(lines, chunkBytes);
});

it('finds the same mistakes at the same places', () => {
  const random = createRandom(2, 'common lines');
  const letters = 'mfrcgdenol0123456789 :/@~!+-\u00e9\t';
  for (let i = 0; i < 20; i++) {
    const lines = someLines(random, 120);
    for (let n = random.integer(1, 4); n > 0; n--) {
      const at = random.integer(1, lines.length - 1);
      const line = lines[at]!;
      const from = random.integer(0, line.length);
      const removed = random.integer(0, 1);
      const letter = random.chance(0.8) ? letters[random.integer(0, letters.length - 1)]! : '';
      lines[at] = line.slice(0, from) + letter + line.slice(from + removed);
    }
    expectTheSame(lines);
  }
});

it.each([
  ['m 0 1 0', undefined],
  ['m 0 01 0064', undefined],
  ['m 0 9999999 9999999', undefined],
  ['m 0 99999999 99999999', undefined],
  ['m 9 1 16', undefined],
  ['m 99 1 16', undefined],
  ['m 100 1 16', undefined],
  ['m 00 1 16', undefined],
  ['m 1: 1 16', 'number-malformed'],
  ['m : 1 16', 'number-malformed'],
  ['m 0 1', 'field-missing'],
  ['m 0 1 ', 'field-missing'],
  ['m 0  1 16', undefined],
  ['m 0 1 16 ', undefined],
  ['m 0 1 16 1', 'field-extra'],
  ['m 0 33554431 16', undefined],
  ['m 0 33554432 16', undefined],
  ['m 0 123456789 16', undefined],
  ['m 0 1 123456789', undefined],
  ['m 0 1 16\r', undefined],
  ['m 0 1 16\0', 'number-malformed'],
  ['m 0 1\u00b01 16', 'number-malformed'],
  ['m 0 1 000000000000000000000000000016', undefined],
  ['m\t0 1 16', 'event-unknown'],
  ['f 0 5', undefined],
  ['f 0 5 ', undefined],
  ['f 0 5 16', 'field-extra'],
  ['f 1 5', undefined],
  ['r 0 5 17', undefined],
  ['r 0 5 0', undefined],
  ['r 0 6 17', undefined],
  ['r 0 5', 'field-missing'],
  ['r 0 5 17 1', 'field-extra'],
  ['r 12 5 17', undefined],
  ['c 0 6 3 5', undefined],
  ['c 0 6 0 5', undefined],
  ['c 0 6 99999999 42', undefined],
  ['c 0 6 99999999 43', 'block-size'],
  ['c 0 5 3 5', 'object-live'],
  ['c 0 6 3', 'field-missing'],
  ['c 0 6 3 5 5', 'field-extra'],
  ['+ 17', undefined],
  ['+ 017', undefined],
  ['+ 17 1', 'field-extra'],
  ['+', 'field-missing'],
  ['+ 123456789', undefined],
  ['+ 9007199254740991', undefined],
  ['f 0 1', 'object-dead'],
  ['f 0 ', 'field-missing'],
  ['m 0 1: 16', 'number-malformed'],
  ['m 0 1 1/', 'number-malformed'],
  ['m 0 5 16', 'object-live'],
  ['g 0 5', 'event-unknown'],
  ['n 0 6 16', 'event-unknown'],
  ['m 0 1 4294967296', 'block-size'],
])('%j', (line, rule) => {
  const { violations } = expectTheSame([HEADER, 'm 0 5 16', line, ...TAIL]);
  expect(violations.map((violation) => violation.rule)).toEqual(rule ? [rule] : []);
});

it('counts what is live beyond 2^32 bytes', () => {
  const lines = Array.from({ length: 600 }, (_, i) => `m 0 ${i + 1} 9999999`);
  const { rest } = expectTheSame([HEADER, ...lines, ...lines.map((_, i) => `f 0 ${i + 1}`), ...TAIL]);
  expect(rest.requestedPeakBytes).toBe(600 * 9_999_999);
  expect(rest.objectSlots).toBe(601);
});

it('counts clocks up to where they end', () => {
  const { violations } = expectTheSame([HEADER, '+ 9007199254740990', '+ 1', '+ 1', '+ 0', ...TAIL]);
  expect(violations.map((violation) => violation.rule)).toEqual(['clock-range']);
});

it('reads on where there are more objects than its memory has room for', () => {
  const count = SLOTS_MAX + 3000;
  const parser = createTraceParser({ rows: LONG });
  parser.push(encoder.encode(`${HEADER}\n`));
  for (let id = 0; id < count; id += 100_000) {
    const ids = Array.from({ length: Math.min(100_000, count - id) }, (_, i) => `m 0 ${id + i} 1\n`);
    parser.push(encoder.encode(ids.join('')));
  }
  parser.push(encoder.encode('f 0 7\nm 0 7 1\n'.repeat(3000)));
  const { length, objectSlots, requestedPeakBytes, slot } = parser.finish();
  expect(length).toBe(count + 6000);
  expect(objectSlots).toBe(count + 1);
  expect(requestedPeakBytes).toBe(count);
  expect(slot[length - 1]).toBe(8);
});
