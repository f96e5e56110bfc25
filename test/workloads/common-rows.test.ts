import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { openCommonRows, PIECE_ROWS } from '../../workloads/trace/common-rows.ts';
import { problemOf } from '../../workloads/trace/consistency/problem.ts';
import { TABLES } from '../../workloads/trace/rows/layout.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { openWebAssembly } from '../../workloads/trace/web-assembly.ts';

// WebAssembly looks at the rows that nearly all are, TypeScript can look at each: what they say of a trace is the same.

const problems = (events: EventBuffer) =>
  [true, false].map((hasMany) => problemOf(events, openCommonRows(events, hasMany)));

function parse(lines: readonly string[]): EventBuffer {
  const parser = createTraceParser();
  parser.push(Buffer.from(`${lines.join('\n')}\n`));
  return parser.finish();
}

/** Clocks, writes and sizes at the ends of their range, by threads that come and go. */
function unusualLines(): string[] {
  const lines = ['%htrace 2'];
  const sizes = [0, 1, 4096, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40];
  for (let i = 0; lines.length < 3000; i++) {
    const t = i % 5;
    const size = sizes[i % sizes.length]!;
    lines.push(`+ ${i * 1000}`, `m ${t} ${i} ${size}`, `c ${t} ${10_000 + i} 3 ${size}`);
    if (size >= 4) lines.push(`w ${t} ${i} 3 1`);
    if (i % 3 === 0 && size > 0) lines.push(`r ${t} ${i} ${sizes[(i + 1) % sizes.length]! + 1}`);
    if (i % 2 === 0) lines.push(`f ${(i + 1) % 5} ${i}`);
    if (i % 7 === 0) lines.push(`em ${t} ${20_000 + i} 64`, `er ${t} ${20_000 + i} 80`, `ef ${t} ${20_000 + i}`);
    if (i % 50 === 0) lines.push(`te ${(t % 4) + 1}`);
  }
  return lines;
}

let traces: readonly EventBuffer[];

beforeAll(async () => {
  const drawn = await Promise.all(
    ['stress:profile=mix,events=4000,seed=7', 'stress:profile=exits,events=4000,threads=6', 'php-pool:requests=4'].map(
      async (workload) => (await resolveWorkload(workload)).events,
    ),
  );
  traces = [...drawn, parse(unusualLines()), benchTrace('mixed', PIECE_ROWS + 2000, false)];
});

it('has WebAssembly here', () => {
  expect(openWebAssembly('rows', TABLES)).toBeDefined();
});

it('finds nothing wrong with what is right', () => {
  for (const events of traces) expect(problems(events)).toEqual([undefined, undefined]);
});

const ODD = [0, 1, 2, 3, 14, 64, 65, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];

it('says the same of any other rows', () => {
  const change = fc.record({
    column: fc.constantFrom('head', 'slot', 'a', 'b'),
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    value: fc.oneof(fc.constantFrom(...ODD), fc.nat(100), fc.constant('that of the next row')),
  });
  const refused = new Set<string>();
  fc.assert(
    fc.property(fc.nat(), fc.array(change, { minLength: 1, maxLength: 3 }), (which, changes) => {
      const whole = traces[which % traces.length]!;
      const columns = { head: whole.head.slice(), slot: whole.slot.slice(), a: whole.a.slice(), b: whole.b.slice() };
      for (const { column, place, value } of changes) {
        const row = Math.floor(place * whole.length);
        columns[column][row] = typeof value === 'number' ? value : columns[column][(row + 1) % whole.length]!;
      }
      const [common, each] = problems({ ...whole, ...columns });
      expect(common).toBe(each);
      if (each !== undefined) refused.add(each.replace(/^event \d+: /, ''));
    }),
    { numRuns: 400, seed: 11 },
  );
  expect(refused.size).toBeGreaterThan(8);
});
