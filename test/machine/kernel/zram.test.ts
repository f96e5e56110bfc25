import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Zspage, ZsSizeClass, zsClassFor, zsHugeClassSize } from '../../../machine/kernel/zsmalloc.ts';
import { runMachineScript } from '../../../machine/script/run.ts';
import { renderView } from '../../../machine/views/view.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/machine/6.1/', import.meta.url));

type Line = Record<string, unknown>;
const MM_STAT = '/sys/block/zram0/mm_stat';
/** Of each cat of mm_stat: stored, compressed, used, limit, most used, same, compacted, huge, huge since. */
const mmStats = (lines: readonly Line[]): number[][] =>
  lines
    .filter(({ t, path }) => t === 'cat' && path === MM_STAT)
    .map(({ text }) => (text as string).trim().split(/\s+/).map(Number));

function bothOf(name: string): { real: number[][]; simulated: number[][] } {
  const truth = gunzipSync(readFileSync(`${FIXTURES}${name}.jsonl.gz`))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const { lines } = runMachineScript(readFileSync(`${FIXTURES}${name}.txt`, 'utf8'), { name });
  return { real: mmStats(truth), simulated: mmStats(lines as unknown as Line[]) };
}

test('what is paged out is stored as the real device stores it', () => {
  const { real, simulated } = bothOf('zram_pageout');
  expect(real.length).toBe(2);
  for (const [i, own] of simulated.entries()) {
    const [stored, compressed, used, limit, most] = real[i]!;
    expect([own[0], own[2], own[3], own[4]]).toEqual([stored, used, limit, most]);
    // A page in some thousand compresses to a byte less.
    expect(Math.abs(own[1]! - compressed!)).toBeLessThan(64);
  }
});

test.each(['zram_pressure', 'zram_group'])('%s: within the band of what reclaim chooses', (name) => {
  const { real, simulated } = bothOf(name);
  expect(simulated.length).toBe(real.length);
  for (const [i, own] of simulated.entries()) {
    for (const column of [0, 1, 2]) {
      const truth = real[i]![column]!;
      expect(Math.abs(own[column]! - truth)).toBeLessThanOrEqual(Math.max(0.25 * truth, 2 ** 20));
    }
  }
});

test('classes of zsmalloc', () => {
  // Bytes, with the handle: what 15,360 pages of these sizes took of a real device.
  expect(zsClassFor(841)).toEqual({ size: 864, pagesPerZspage: 3, objectsPerZspage: 14 });
  expect(zsClassFor(2085)).toEqual({ size: 2096, pagesPerZspage: 4, objectsPerZspage: 7 });
  expect(zsClassFor(3008)).toEqual({ size: 3024, pagesPerZspage: 3, objectsPerZspage: 4 });
  expect(zsClassFor(1)).toEqual({ size: 32, pagesPerZspage: 1, objectsPerZspage: 128 });
  expect(zsClassFor(4096)).toEqual({ size: 4096, pagesPerZspage: 1, objectsPerZspage: 1 });
  expect(zsHugeClassSize()).toBe(3257);
});

test('a class holds what it was given, and nothing when all is freed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4096 }),
      fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 400 }),
      (bytes, steps) => {
        let pages = 0;
        const own = zsClassFor(bytes);
        const zs = new ZsSizeClass(
          own,
          (count) => {
            pages += count;
            return pages <= 200;
          },
          (count) => {
            pages -= count;
          },
        );
        const live: Zspage[] = [];
        for (const [isFree, at] of steps) {
          if (isFree && live.length > 0) zs.free(live.splice(at % live.length, 1)[0]!);
          else if (pages < 190) live.push(zs.malloc()!);
          expect(pages).toBe(zs.pages);
          expect(zs.objects).toBe(live.length);
          expect(pages * 4096).toBeGreaterThanOrEqual(live.length * own.size);
          for (const zspage of live) expect(zspage.inuse).toBeLessThanOrEqual(own.objectsPerZspage);
        }
        for (const zspage of live) zs.free(zspage);
        expect([pages, zs.objects]).toEqual([0, 0]);
      },
    ),
    { numRuns: 30, seed: 5 },
  );
});

const PRESSED = 'new p\np mmap A 300M private noreserve\np touch A 0 300M\nsample s\n';

test('what compresses badly is kept whole, and a machine may end on its own swap', () => {
  const run = (ratio: number) => runMachineScript(`#! -m 320 --thp never\nswap 256M zram ratio=${ratio}\n${PRESSED}`);
  const well = run(8);
  const [stored, , used, , , , , huge] = renderView(well, `cat ${MM_STAT}`).trim().split(/\s+/).map(Number);
  expect(used).toBeLessThan(stored! / 6);
  expect(huge).toBe(0);
  expect(well.process('p')!.alive).toBe(true);
  // 1.1 is above the huge class: the memory that swap takes is what it gives.
  const badly = run(1.1);
  expect(badly.process('p')!.alive).toBe(false);
});

test('words of swap', () => {
  const wrong = (line: string) => () => runMachineScript(`${line}\n`, { name: 'x' });
  expect(wrong('swap 10M zram')).toThrow('x:1: swap: zram: expected ratio=NUMBER');
  expect(wrong('swap 10M zram ratio=0.5')).toThrow("x:1: swap: found 'ratio=0.5', expected a ratio from 1");
  expect(wrong('swap 10M ratio=3')).toThrow("x:1: swap: found 'ratio=3', expected it after zram");
  expect(wrong('swap ten')).toThrow("x:1: swap: found 'ten', expected a size such as 256M, or off");
  expect(wrong('swap 10M zrm')).toThrow("x:1: swap: found 'zrm'");
});
