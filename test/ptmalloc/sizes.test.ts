import { describe, expect, it } from 'vitest';
import { binIndex, largeBinIndex } from '../../allocators/ptmalloc/bin-index.ts';
import { requestUnits } from '../../allocators/ptmalloc/chunk.ts';

describe('requestUnits, checked_request2size()', () => {
  it.each([
    [0, 32],
    [24, 32],
    [25, 48],
    [40, 48],
    [41, 64],
    [1032, 1040],
    [1033, 1056],
    [131048, 131056],
    [2 ** 31 - 1, 2 ** 31 + 16],
    [2 ** 32 - 1, 2 ** 32 + 16],
  ])('%i bytes take a chunk of %i', (bytes, chunk) => {
    expect(requestUnits(bytes) * 16).toBe(chunk);
  });

  it('counts units beyond an int32', () => {
    expect(requestUnits(2 ** 40)).toBe(2 ** 36 + 1);
    expect(requestUnits(2 ** 62)).toBe(2 ** 58);
  });
});

describe('bin numbers', () => {
  it.each([
    [32, 2],
    [1008, 63],
    [1024, 64],
    [1072, 64],
    [1088, 65],
    [3072, 96],
    [3120, 96],
    [3136, 97],
    [3584, 98],
    [4096, 99],
    [10240, 111],
    [10752, 112],
    [12288, 113],
    [40960, 120],
    [65536, 121],
    [131072, 123],
    [163824, 123],
    [163840, 124],
    [262144, 125],
    [524288, 126],
    [786416, 126],
    [2 ** 30, 126],
  ])('a chunk of %i bytes belongs in bin %i', (bytes, bin) => {
    expect(binIndex(bytes / 16)).toBe(bin);
  });

  it('never go down as sizes go up', () => {
    const falls: number[] = [];
    for (let units = 64; units < 100000; units++)
      if (largeBinIndex(units + 1) < largeBinIndex(units)) falls.push(units);
    expect(falls).toEqual([]);
  });
});
