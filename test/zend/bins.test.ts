import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BIN_BY_UNITS,
  BIN_ELEMENTS,
  BIN_PAGES,
  BIN_SIZE,
  BINS,
  binOf,
  MAX_SMALL_SIZE,
} from '../../allocators/zend/bins.ts';
import { findClear, findSet, isFreeRange, isSet, resetRange, setRange } from '../../allocators/zend/bitmap.ts';

describe('bins', () => {
  it('have the elements and pages of the real table', () => {
    expect(BINS).toBe(30);
    // From zend_alloc_sizes.h, size by size.
    expect(BIN_ELEMENTS).toEqual([
      512, 256, 170, 128, 102, 85, 73, 64, 51, 42, 36, 32, 25, 21, 18, 16, 64, 32, 9, 8, 32, 16, 9, 8, 16, 8, 16, 8, 8,
      4,
    ]);
    for (let bin = 0; bin < BINS; bin++) {
      expect(BIN_ELEMENTS[bin]! * BIN_SIZE[bin]!).toBeLessThanOrEqual(BIN_PAGES[bin]! * 4096);
      expect((BIN_ELEMENTS[bin]! + 1) * BIN_SIZE[bin]!).toBeGreaterThan(BIN_PAGES[bin]! * 4096);
    }
  });

  it('are the smallest that hold a size, for every small size', () => {
    for (let size = 0; size <= MAX_SMALL_SIZE; size++) {
      const bin = binOf(size);
      expect(BIN_SIZE[bin]).toBeGreaterThanOrEqual(size);
      if (bin > 0 && size > 0) expect(BIN_SIZE[bin - 1]).toBeLessThan(size);
      expect(BIN_BY_UNITS[(size + 7) >>> 3]).toBe(bin);
    }
  });

  it('put the beginning of an element on every page of a run', () => {
    // So the links of a new run touch all of its pages, and no later write to an element can be a page's first.
    for (let bin = 0; bin < BINS; bin++) {
      const pages = new Set<number>();
      for (let i = 1; i < BIN_ELEMENTS[bin]!; i++) pages.add(Math.floor((i * BIN_SIZE[bin]!) / 4096));
      expect(pages.size).toBe(BIN_PAGES[bin]);
    }
  });
});

describe('the page bitmap', () => {
  const BITS = 512;
  const AT = 3; // it need not begin at word 0

  it('does what an array of flags does', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: BITS - 1 }), fc.integer({ min: 1, max: BITS }), fc.boolean());
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30 }), fc.integer({ min: 0, max: BITS }), (ranges, from) => {
        const words = new Int32Array(AT + BITS / 32);
        const flags = new Array<boolean>(BITS).fill(false);
        for (const [start, wanted, set] of ranges) {
          const length = Math.min(wanted, BITS - start);
          expect(isFreeRange(words, AT, start, length)).toBe(!flags.slice(start, start + length).includes(true));
          (set ? setRange : resetRange)(words, AT, start, length);
          flags.fill(set, start, start + length);
        }
        expect(flags.map((_, bit) => isSet(words, AT, bit))).toEqual(flags);
        const next = (value: boolean) => {
          const index = flags.indexOf(value, from);
          return index < 0 ? BITS : index;
        };
        expect(findSet(words, AT, from, BITS)).toBe(next(true));
        expect(findClear(words, AT, from, BITS)).toBe(next(false));
      }),
      { numRuns: 100 },
    );
  });
});
