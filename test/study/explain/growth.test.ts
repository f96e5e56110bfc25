import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

/** Blocks of a program by the line that allocates them: an event, and the function below main() (0: none). */
type Line = readonly [event: string, site: number];

/** The lines as a trace, with the functions as call sites or without. */
function trace(lines: readonly Line[], withSites: boolean): EventBuffer {
  const events = eventsOf(lines.map(([line]) => line));
  if (!withSites) return events;
  const names = ['', 'main', 'cache', 'note', 'text'];
  return {
    ...events,
    sites: Int32Array.from(lines, ([, site]) => site),
    frames: names.map((functionName) => ({ functionName, file: functionName && 'a.c', line: 1, module: '' })),
    siteParent: Int32Array.of(0, 0, 1, 1, 1),
    siteFrame: Int32Array.of(0, 1, 2, 3, 4),
  };
}

const [CACHE, NOTE, TEXT] = [2, 3, 4];

function explained(lines: readonly Line[], withSites: boolean) {
  const spec = parseAllocator('glibc@2.36', 1);
  const { verdict, growth } = explain({ events: trace(lines, withSites), workload: 't', spec, cpus: 1, whatIf: false });
  return { ...verdict, growth, said: [verdict.headline, ...verdict.sentences].join(' ') };
}

const repeat = (n: number, lines: (i: number) => readonly Line[]): Line[] =>
  Array.from({ length: n }, (_, i) => lines(i)).flat();

/** A cache of 200 blocks in which each round replaces one, `kept` blocks of `noteBytes` a round that nobody frees. */
const server = (rounds: number, kept: number, noteBytes = 100): Line[] =>
  repeat(rounds, (i) => {
    const place = (i * 83) % 200;
    const isFull = i >= 200;
    return [
      ...(isFull ? [[`f 0 ${place}`, 0] as const] : []),
      [`m 0 ${isFull ? place : (i * 83) % 200} ${4000 + ((i * 37) % 90) * 16}`, CACHE] as const,
      ...repeat(kept, (k) => [[`m 0 ${1000 + i * kept + k} ${noteBytes}`, NOTE]]),
    ];
  });

describe.each([
  ['with call sites', true],
  ['without', false],
])('a leak beside more that is bounded, %s', (_, withSites) => {
  test('is named, and not the largest holder', () => {
    const { kind, headline, said, growth } = explained(server(3000, 1), withSites);
    expect(kind).toBe('leak');
    expect(growth.parts).toHaveLength(1);
    expect(growth.parts[0]!.bytes).toBeGreaterThan(280_000);
    expect(headline).toMatch(
      withSites ? /KiB of it, allocated at note \(a\.c:1\), grows/ : /KiB of it, blocks of 97 to 112 bytes, grows/,
    );
    expect(said.includes('sim record --sites')).toBe(!withSites);
    // The first quarter is told too: its second half has something.
    expect(growth.parts[0]!.floors.every((floor, q, all) => floor > (all[q - 1] ?? 0))).toBe(true);
  });

  test('is none where only the cache is, which is bounded', () => {
    const { kind, growth } = explained(server(3000, 0), withSites);
    expect(kind).toBe('in use');
    expect(growth.parts).toEqual([]);
  });

  test('is none where a cache fills up more and more slowly', () => {
    let random = 1;
    const draw = (n: number) => {
      random = (random * 48271) % 2147483647;
      return random % n;
    };
    const filled = new Set<number>();
    const lines = repeat(4000, (i) => {
      const place = draw(1000);
      const had = filled.has(place);
      filled.add(place);
      const word: Line[] = [
        [`m 0 ${2000 + i} 50`, TEXT],
        [`f 0 ${2000 + i}`, 0],
      ];
      if (had && draw(3) > 0) return word;
      return [...(had ? [[`f 0 ${place}`, 0] as const] : []), [`m 0 ${place} ${300 + draw(400)}`, CACHE], ...word];
    });
    expect(explained(lines, withSites).kind).toBe('in use');
  });

  test('is none where a buffer is made larger and larger: somebody holds it', () => {
    const lines = repeat(3000, (i) => [
      [i === 0 ? 'm 0 0 200000' : i % 10 === 0 ? `r 0 0 ${200000 + i * 1000}` : `m 0 ${1000 + i} 64`, TEXT],
      ...(i % 10 === 0 ? [] : [[`f 0 ${1000 + i}`, 0] as const]),
    ]);
    const { kind, said } = explained(lines, withSites);
    expect(kind).toBe('in use');
    expect(said).toMatch(/A block that realloc made larger (at text \(a\.c:1\) )?grows to the end: at least/);
  });
});

test('sizes that seem to grow by chance are no leak where all that is replaced now and then fills up together', () => {
  let random = 7;
  const draw = () => {
    random = (random * 48271) % 2147483647;
    return random / 2147483647;
  };
  const has = new Set<number>();
  const lines = repeat(30_000, () => {
    const key = Math.floor(5000 ** draw());
    const had = has.has(key);
    has.add(key);
    return [...(had ? [[`f 0 ${key}`, 0] as const] : []), [`m 0 ${key} ${100 + Math.floor(draw() * 300)}`, CACHE]];
  });
  expect(explained(lines, false).growth.parts).toEqual([]);
});

/** Taken and freed at once, six times. */
const WORDS = repeat(6, () => [
  ['m 0 9000 64', TEXT],
  ['f 0 9000', 0],
]);

test('what is loaded in little time and then kept is no leak, however many events that is', () => {
  const loaded = repeat(2000, (i) => [['+ 10000', 0], [`m 0 ${i} 400`, NOTE], ...WORDS]);
  const served = repeat(100, () => [
    ['+ 10000000', 0],
    ['m 0 8999 300', TEXT],
    ['f 0 8999', 0],
  ]);
  expect(explained(loaded, true).kind).toBe('leak');
  expect(explained([...loaded, ...served], true).kind).toBe('in use');
});

test('what has not grown for a quarter of the recorded time is no leak, nor a table that realloc makes twice as large', () => {
  const grown = repeat(2000, (i) => [['+ 10000', 0], [`m 0 ${i} 400`, NOTE], ...WORDS]);
  const { kind, said } = explained([...grown, ['+ 10000000', 0], ['m 0 8999 300', TEXT]], true);
  expect(kind).toBe('in use');
  expect(said).toContain('Next to nothing of it came in the last quarter of the recorded time');

  const word = (from: number) => repeat(300, (i) => [[`m 0 ${from + i} 64`, TEXT] as const, [`f 0 ${from + i}`, 0]]);
  const sizes = [1, 2, 4, 8].map((n) => n * 100_000);
  const table = sizes.flatMap((size, i) => [
    [i === 0 ? `m 0 0 ${size}` : `r 0 0 ${size}`, CACHE] as const,
    ...word(1000 * (i + 1)),
  ]);
  expect(explained(table, true)).toMatchObject({ kind: 'in use', growth: { rises: true, reallocBytes: 800_000 } });
});

test('a function that allocates for others is not the line: who calls it is', () => {
  const lines = server(3000, 1);
  const events = eventsOf(lines.map(([line]) => line));
  const names = ['', 'main', 'cache', 'note', 'get'];
  const frames = names.map((functionName) => ({ functionName, file: functionName && 'a.c', line: 1, module: '' }));
  // Sites 2 and 3: cache and note call get.
  const sited = {
    ...events,
    sites: Int32Array.from(lines, ([, site]) => (site === 0 ? 0 : site + 2)),
    frames,
    siteParent: Int32Array.of(0, 0, 1, 1, 2, 3),
    siteFrame: Int32Array.of(0, 1, 2, 3, 4, 4),
  };
  const spec = parseAllocator('glibc@2.36', 1);
  const { verdict } = explain({ events: sited, workload: 't', spec, cpus: 1, whatIf: false });
  expect(verdict.headline).toMatch(/^Leak, .* KiB of it, allocated at note \(a\.c:1\), grows/);
});
