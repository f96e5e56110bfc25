import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDecay, DECAY_WORDS, H_STEPS } from '../../allocators/jemalloc/decay.ts';
import { GEOMETRIC, prngBits, prngRange, seedPrng } from '../../allocators/jemalloc/prng.ts';
import {
  alignedUsable,
  INDEX_SIZE,
  insertClass,
  NBINS,
  NSIZES,
  PAGE,
  PAGE_CLASS,
  pagesToClass,
  quantizeCeil,
  quantizeFloor,
  SLAB_PAGES,
  SLAB_REGIONS,
  searchClass,
  sizeToIndex,
} from '../../allocators/jemalloc/size-classes.ts';

const real = JSON.parse(readFileSync(new URL('../fixtures/jemalloc/size-classes.json', import.meta.url), 'utf8')) as {
  readonly bins: readonly (readonly [number, number, number])[];
  readonly large: readonly string[];
};

describe('size classes', () => {
  it('are those of the real library: sizes, regions, slabs', () => {
    const ours = Array.from({ length: NBINS }, (_, i) => [INDEX_SIZE[i], SLAB_REGIONS[i], SLAB_PAGES[i]! * PAGE]);
    expect(ours).toEqual(real.bins);
    expect([...INDEX_SIZE.subarray(NBINS)].map((size) => BigInt(size).toString())).toEqual(real.large);
  });

  it('a size belongs to the smallest class that holds it', () => {
    for (let i = 0; i < NSIZES; i++) {
      expect(sizeToIndex(INDEX_SIZE[i]!)).toBe(i);
      if (INDEX_SIZE[i]! < 2 ** 52) expect(sizeToIndex(INDEX_SIZE[i]! + 1)).toBe(i + 1);
    }
    expect(sizeToIndex(0)).toBe(0);
    expect(sizeToIndex(2 ** 63)).toBe(NSIZES);
  });

  it('an aligned request gets a class whose regions are aligned, or a large one', () => {
    expect(alignedUsable(100, 64)).toBe(128);
    expect(alignedUsable(65, 32)).toBe(96);
    expect(alignedUsable(8000, 4096)).toBe(8192);
    expect(alignedUsable(1, 8192)).toBe(16384);
    expect(alignedUsable(14337, 8)).toBe(16384);
  });

  it('page size classes: four in each doubling, and an extent is filed under what it surely holds', () => {
    expect([...PAGE_CLASS.subarray(0, 12)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]);
    for (let i = 0; i < 198; i++) {
      expect(pagesToClass(PAGE_CLASS[i]!)).toBe(i);
      expect(pagesToClass(PAGE_CLASS[i]! + 1)).toBe(i + 1);
    }
    for (let pages = 1; pages < 20000; pages++) {
      expect(quantizeFloor(pages)).toBeLessThanOrEqual(pages);
      expect(quantizeCeil(pages)).toBeGreaterThanOrEqual(pages);
      expect(searchClass(pages)).toBeGreaterThanOrEqual(insertClass(pages));
    }
  });
});

describe('random numbers', () => {
  const next = (state: bigint) => BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);

  it('are the upper bits of the 64-bit recurrence', () => {
    const words = new Int32Array(2);
    seedPrng(words, 0, 0x7ffff7f8f738);
    let state = 0x7ffff7f8f738n;
    for (let i = 0; i < 1000; i++) {
      state = next(state);
      expect(prngBits(words, 0, 6)).toBe(Number(state >> 58n));
    }
  });

  it('within a range are drawn again while they are too large', () => {
    const words = new Int32Array(2);
    for (const range of [1, 2, 50_000_000, 2 ** 33 + 5]) {
      seedPrng(words, 0, 0x7effffe11f88);
      let state = 0x7effffe11f88n;
      const bits = BigInt(Math.ceil(Math.log2(range)));
      for (let i = 0; i < 100 && range > 1; i++) {
        let value: bigint;
        do {
          state = next(state);
          value = state >> (64n - bits);
        } while (value >= BigInt(range));
        expect(prngRange(words, 0, range)).toBe(Number(value));
      }
      if (range === 1) expect(prngRange(words, 0, 1)).toBe(0);
    }
  });

  it('the geometric table falls from 254 to 0 with mean 1 after scaling', () => {
    expect([GEOMETRIC[0], GEOMETRIC[1], GEOMETRIC[31], GEOMETRIC[62], GEOMETRIC[63]]).toEqual([254, 211, 42, 1, 0]);
    expect(GEOMETRIC.reduce((sum, n) => sum + n, 0) / 64 / 61).toBeCloseTo(0.95, 1);
  });
});

describe('decay', () => {
  it('follows the smootherstep curve in 24 bits', () => {
    expect([H_STEPS[0], H_STEPS[5], H_STEPS[99], H_STEPS[198], H_STEPS[199]]).toEqual([
      20,
      4328,
      2 ** 23,
      16777195,
      2 ** 24,
    ]);
    for (let i = 1; i < 200; i++) expect(H_STEPS[i]).toBeGreaterThan(H_STEPS[i - 1]!);
  });

  function newDecay(ms: number) {
    const words = new Float64Array(DECAY_WORDS);
    const decay = createDecay(words, new Int32Array(2));
    decay.reinit(0, 1e12, ms, 0x7effffe11f88);
    return decay;
  }

  it('lets 1000 pages go within ten seconds: half after five, none before their epoch has ended', () => {
    const decay = newDecay(10000);
    const interval = 50e6;
    expect(decay.deadline(0)).toBeGreaterThanOrEqual(1e12 + interval);
    expect(decay.deadline(0)).toBeLessThan(1e12 + 2 * interval);
    expect(decay.maybeAdvanceEpoch(0, 1e12 + interval - 1, 1000)).toBe(false);
    expect(decay.maybeAdvanceEpoch(0, 1e12 + 2 * interval, 1000)).toBe(true);
    expect(decay.limit(0)).toBe(1000);
    const limits: number[] = [];
    for (let step = 1; step <= 200; step++) {
      decay.maybeAdvanceEpoch(0, 1e12 + 2 * interval + step * interval * 2, 1000);
      limits.push(decay.limit(0));
    }
    for (let i = 1; i < limits.length; i++) expect(limits[i]).toBeLessThanOrEqual(limits[i - 1]!);
    expect(limits.at(-1)).toBe(0);
  });

  it('keeps nothing after an idle time longer than the decay time', () => {
    const decay = newDecay(1000);
    decay.maybeAdvanceEpoch(0, 1e12 + 2e7, 500);
    expect(decay.maybeAdvanceEpoch(0, 1e12 + 5e9, 500)).toBe(true);
    expect(decay.limit(0)).toBe(0);
    expect(decay.lastAdded(0)).toBe(0);
  });

  it('says how long nothing much is due', () => {
    const decay = newDecay(10000);
    expect(decay.nsUntilPurge(0, 0, 1024)).toBe(Infinity);
    expect(decay.nsUntilPurge(0, 1000, 1024)).toBe(1e10);
    decay.maybeAdvanceEpoch(0, 1e12 + 1e8, 100000);
    const wait = decay.nsUntilPurge(0, 100000, 1024);
    expect(wait).toBeGreaterThan(1e8);
    expect(wait).toBeLessThan(5e9);
    expect(newDecay(-1).nsUntilPurge(0, 100000, 1024)).toBe(Infinity);
  });
});
