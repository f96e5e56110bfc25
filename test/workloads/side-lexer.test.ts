import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../sim/contract/random.ts';
import { createTraceParser } from '../../workloads/trace/parser.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const MEBIBYTES = 2 ** 20;

/** A trace so long that a second thread takes it apart; `oddLine` makes the lines between those of numbers. */
function longTrace(seed: number, oddLine: (n: number) => string | undefined, bytes = 34 * MEBIBYTES): string {
  const random = createRandom(seed, 'side-lexer');
  const lines = ['%htrace 1', '%name long'];
  const live: number[] = [];
  let length = 0;
  for (let n = 1; length < bytes; n++) {
    const odd = oddLine(n);
    if (odd !== undefined) lines.push(odd);
    if (live.length < 500 || random.chance(0.5)) {
      lines.push(`m ${random.integer(0, 3)} ${n} ${random.integer(0, 100000)}`);
      live.push(n);
    } else {
      const i = random.integer(0, live.length - 1);
      lines.push(`f ${random.integer(0, 3)} ${live[i]}`);
      live[i] = live.at(-1)!;
      live.pop();
    }
    length += lines.at(-1)!.length + 1 + (odd?.length ?? -1) + 1;
  }
  return `${lines.join('\n')}\n`;
}

/** As one thread takes it apart, in pieces. */
function parsed(text: string, source: string) {
  const bytes = Buffer.from(text, 'latin1');
  const parser = createTraceParser({ source, rows: bytes.length / 6 });
  for (let at = 0; at < bytes.length; at += 100_000) parser.push(bytes.subarray(at, at + 100_000));
  return parser.finish();
}

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as Error).message;
  }
}

const comment = (n: number) => (n % 7 === 0 ? '# a comment' : undefined);
const KINDS: Readonly<Record<string, (n: number) => string | undefined>> = {
  'lines of numbers alone': () => undefined,
  'comments, labels, clocks, carriage returns': (n) =>
    n % 5000 === 0
      ? `= label ${n % 50000}`
      : n % 777 === 0
        ? '+ 5'
        : n % 999 === 0
          ? 'm 1 4000000001 12\r\nf 2 4000000001'
          : undefined,
  'an odd line behind every seventh': comment,
  'lines longer than the end of a chunk is looked for': (n) =>
    n % 400_000 === 0 ? `# ${'x'.repeat(600_000)}` : undefined,
  'a late dead object': (n) => (n === 1_500_000 ? 'f 0 2000000000' : undefined),
  'a late unknown event': (n) => (n === 1_700_000 ? 'x 0 1' : comment(n)),
  'a line without end': (n) => (n === 900_000 ? `# ${'y'.repeat(2_000_000)}` : undefined),
};

describe('a long text trace, on two threads', () => {
  it.each(Object.keys(KINDS))(
    '%s: the same as on one',
    async (kind) => {
      const text = longTrace(3, KINDS[kind]!);
      const path = join(temporaryFolder(), 'long.htrace');
      for (const ending of kind === 'lines of numbers alone' ? ['', 'm 0 999999999 5'] : ['']) {
        writeFileSync(path, text + ending, 'latin1');
        const one = await outcome(() => parsed(text + ending, path));
        const two = await outcome(() => readTrace(path));
        if (typeof one === 'string' || typeof two === 'string') {
          expect(two).toBe(one);
          continue;
        }
        const [x, y] = [one, two] as [ReturnType<typeof parsed>, ReturnType<typeof parsed>];
        expect(y.length).toBe(x.length);
        for (const column of ['head', 'slot', 'a', 'b'] as const) {
          const bytesOf = (e: typeof x) => Buffer.from(e[column].buffer, e[column].byteOffset, 4 * e.length);
          expect(bytesOf(y).equals(bytesOf(x)), column).toBe(true);
        }
        const rest = ({ head: _h, slot: _s, a: _a, b: _b, ...others }: typeof x) => others;
        expect(rest(y)).toEqual(rest(x));
      }
    },
    60_000,
  );
});
