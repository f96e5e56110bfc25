import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { flamePage } from '../../../bench/report/sites/flame.ts';
import { callersOf } from '../../../bench/report/sites/lines.ts';
import { changesSince } from '../../../bench/report/sites/moved.ts';
import { pprof } from '../../../bench/report/sites/pprof.ts';
import { speedscope } from '../../../bench/report/sites/speedscope.ts';
import { collapsed, diffStacks, parseCollapsed, type StackBytes } from '../../../bench/report/sites/stacks.ts';
import type { Facts } from '../../../bench/study/explain/explanation.ts';
import { siteSentences } from '../../../bench/study/explain/heap/site-text.ts';

const STACKS: StackBytes[] = [
  { stack: ['main', 'parse (a.c:7)', 'malloc'], held: 4096, pinned: 100, freed: 300 },
  { stack: ['main', '<T>&"x"'], held: 0, pinned: 0, freed: 70000 },
];

describe('stacks with bytes', () => {
  test('collapsed lines are read back as they were', () => {
    const text = collapsed(STACKS);
    expect(text.split('\n')[0]).toBe('held;main;parse (a.c:7);malloc 4096');
    expect(parseCollapsed(text)).toEqual(STACKS);
    expect(parseCollapsed('main;malloc 7')).toBeUndefined();
  });

  test('who asked a function that allocates for others, itself aside', () => {
    const of = (held: number, ...stack: string[]) => ({ stack, held, pinned: 0, freed: 0 });
    const stacks = [
      of(100, 'main (a.c:9)', 'audit (a.c:3)', 'get (a.c:1)', 'malloc [libc.so.6]'),
      of(50, 'main (a.c:9)', 'fill (a.c:4)', 'get (a.c:2)', 'get (a.c:1)', 'malloc [libc.so.6]'),
      of(7, 'get (a.c:1)', 'malloc [libc.so.6]'),
      of(900, 'main (a.c:9)', 'other (a.c:5)', 'malloc [libc.so.6]'),
    ];
    expect(callersOf('get (a.c:1)', stacks)).toEqual([
      { line: 'audit (a.c:3)', held: 100 },
      { line: 'fill (a.c:4)', held: 50 },
      { line: 'get (a.c:1)', held: 7 },
    ]);
    const told = (sites: readonly StackBytes[]) =>
      siteSentences({ sites, sample: { rssBytes: 2000 } } as unknown as Facts);
    expect(told(stacks.slice(0, 3))).toEqual([
      'Of the 157 B that are held, 157 B (100.0 %) were allocated at get (a.c:1).',
      'Of these, 100 B were asked for by audit (a.c:3), 50 B by fill (a.c:4), 7 B by get (a.c:1).',
    ]);
    expect(told(stacks.slice(0, 1))).toHaveLength(1);
  });

  test('a semicolon in a name ends no frame', () => {
    expect(collapsed([{ stack: ['a;b'], held: 1, pinned: 0, freed: 0 }])).toBe('held;a,b 1\n');
  });

  test('a diff names what changed alone, the most first', () => {
    const after = [{ ...STACKS[0]!, held: 5096 }, STACKS[1]!, { stack: ['new'], held: 9000, pinned: 0, freed: 0 }];
    expect(diffStacks(STACKS, after).map((c) => [c.stack.at(-1), c.total])).toEqual([
      ['new', 9000],
      ['malloc', 1000],
    ]);
    expect(diffStacks(STACKS, STACKS)).toEqual([]);
    expect(diffStacks(STACKS, [])[0]).toMatchObject({ freed: -70000, total: -70000 });
  });

  test('a line that an edit above it has moved is the same line', () => {
    const of = (held: number, ...stack: string[]) => ({ stack, held, pinned: 0, freed: 0 });
    const before = [
      of(100, 'main (/old/a.c:20)', 'get (/old/a.c:7)'),
      of(50, 'main (/old/a.c:20)', 'get (/old/a.c:8)'),
      of(10, 'main (/old/a.c:21)', 'put (/old/a.c:12)'),
      of(5, 'main (/old/a.c:21)', 'put (/old/b.c:3)'),
    ];
    const after = [
      of(100, 'main (a.c:23)', 'get (a.c:8)'),
      of(50, 'main (a.c:23)', 'get (a.c:9)'),
      of(40, 'main (a.c:26)', 'put (a.c:14)'),
      of(7, 'main (a.c:26)', 'new; (a.c:30)'),
    ];
    expect(changesSince(before, after).map((c) => [c.stack.at(-1), c.held])).toEqual([
      ['put (a.c:14)', 30],
      ['new; (a.c:30)', 7],
      ['put (/old/b.c:3)', -5],
    ]);
    expect(changesSince(parseCollapsed(collapsed(after))!, after)).toEqual([]);
  });

  test('of names with semicolons, tabs and marks of direction nothing differs once they are read back', () => {
    const stacks = ['a;b', 'a,b', 'a\tb', '\u202Ertl'].map((name, i) => ({
      stack: ['main', name],
      held: 4096 * (i + 1),
      pinned: i,
      freed: 0,
    }));
    expect(diffStacks(parseCollapsed(collapsed(stacks))!, stacks)).toEqual([]);
    expect(diffStacks([], stacks).reduce((sum, c) => sum + c.held, 0)).toBe(40_960);
  });

  test('speedscope: samples refer to frames, weights add up to the end value', () => {
    const file = JSON.parse(speedscope('run', STACKS));
    const freed = file.profiles[2];
    expect(freed.endValue).toBe(70300);
    expect(freed.samples.map((s: number[]) => s.map((f) => file.shared.frames[f]))).toEqual([
      [{ name: 'main' }, { name: 'parse', file: 'a.c', line: 7 }, { name: 'malloc' }],
      [{ name: 'main' }, { name: '<T>&"x"' }],
    ]);
  });

  test('pprof: strings, samples and values as profile.proto numbers them', () => {
    const fields = decode(gunzipSync(pprof(STACKS)));
    const strings = fields.filter((f) => f.field === 6).map((f) => Buffer.from(f.body!).toString());
    expect(strings[0]).toBe('');
    const types = fields.filter((f) => f.field === 1).map((f) => strings[decode(f.body!)[0]!.value!]);
    expect(types).toEqual(['held', 'pinned', 'freed']);
    const functions = new Map(
      fields
        .filter((f) => f.field === 5)
        .map((f) => decode(f.body!))
        .map((f) => [f[0]!.value!, strings[f[1]!.value!]]),
    );
    const samples = fields.filter((f) => f.field === 2).map((f) => decode(f.body!));
    expect(samples.map((s) => varints(s[0]!.body!).map((id) => functions.get(id)))).toEqual([
      ['malloc', 'parse', 'main'],
      ['<T>&"x"', 'main'],
    ]);
    const parse = fields.filter((f) => f.field === 5).map((f) => decode(f.body!))[1]!;
    expect(strings[parse[3]!.value!]).toBe('a.c'); // Function.filename
    const place = decode(decode(fields.filter((f) => f.field === 4)[1]!.body!)[1]!.body!); // Location.line
    expect(place.map((f) => f.value)).toEqual([parse[0]!.value, 7]);
    expect(samples.map((s) => varints(s[1]!.body!))).toEqual([
      [4096, 100, 300],
      [0, 0, 70000],
    ]);
  });

  test('the page holds every frame, escaped, and nothing from outside', () => {
    const page = flamePage('run <1>', STACKS, 'before <main> ends');
    expect(page).toContain('run &lt;1&gt;');
    expect(page).toContain('Resident before &lt;main&gt; ends, in file order.');
    expect(page).toContain('&lt;T&gt;&amp;&quot;x&quot;');
    expect(page).not.toMatch(/https?:|src=/);
    expect(page.match(/class="flame"/g)).toHaveLength(3);
    expect(flamePage('none', [], 'at the end').match(/<p>None\.<\/p>/g)).toHaveLength(3);
  });
});

interface Field {
  readonly field: number;
  readonly value?: number;
  readonly body?: Uint8Array;
}

function decode(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const next = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = next();
    const field = key >> 3;
    if ((key & 7) === 0) fields.push({ field, value: next() });
    else {
      const length = next();
      fields.push({ field, body: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}

function varints(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte < 128) {
      values.push(value);
      value = 0;
      scale = 1;
    }
  }
  return values;
}
