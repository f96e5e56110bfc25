import { expect, it } from 'vitest';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { createTraceParser, type Violation } from '../../workloads/trace/parser.ts';

// Lines that end with a carriage return are never read by the loop for the commonest lines: a text reads the same with and without them.

const encoder = new TextEncoder();

function read(text: string, chunkBytes: number) {
  const violations: Violation[] = [];
  const parser = createTraceParser({ rows: LONG, onViolation: (violation) => violations.push(violation) });
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) parser.push(bytes.slice(at, at + chunkBytes));
  const { head, slot, a, b, length, ...rest } = parser.finish();
  const columns = [head, slot, a, b].map((column) => [...column.subarray(0, length)]);
  return { columns, length, violations, rest };
}

function expectTheSame(lines: readonly string[], chunkBytes = 1 << 20): ReturnType<typeof read> {
  const found = read(`${lines.join('\n')}\n`, chunkBytes);
  expect(found).toEqual(read(`${lines.join('\r\n')}\r\n`, chunkBytes));
  return found;
}

const HEADER = '%htrace 1';
/** Short texts are not read by that loop. */
const LONG = 3e6;
/** Behind what is looked at, so that the loop reads up to it. */
const TAIL = Array.from({ length: 20 }, (_, i) => `m 0 ${900_000 + i} 16`);

/** A text of mallocs and frees, and some of everything else. */
function someLines(random: Random, count: number): string[] {
  const lines = [HEADER];
  const live: number[] = [];
  let nextId = random.pick([1, 90, 9_990, 999_990, 9_999_990, 99_999_990]);
  const size = () => Math.floor(10 ** (random.next() * 8));
  while (lines.length < count) {
    const t = random.chance(0.9) ? 0 : random.integer(0, 12);
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

it('reads the commonest lines as it reads all others', () => {
  const random = createRandom(1, 'common lines');
  for (let i = 0; i < 10; i++) expectTheSame(someLines(random, 400), random.pick([64, 300, 1 << 20]));
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
  ['m : 1 16', 'number-malformed'],
  ['m 0 1', 'field-missing'],
  ['m 0 1 ', 'field-missing'],
  ['m 0  1 16', undefined],
  ['m 0 1 16 ', undefined],
  ['m 0 1 16 1', 'field-extra'],
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
