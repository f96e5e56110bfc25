import { describe, expect, test } from 'vitest';
import type { Growth } from '../../../bench/study/explain/heap/demand.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { facts, MIB } from '../../helpers/what-if.ts';

// What grows beside a cause that accounts for more. Of 10 MiB 7 are free.

const { sample } = facts;
const none = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };
const free = { ...sample, breakdown: { ...none, requested: 3 * MIB, pinned: 7 * MIB }, liveBlocks: 1000 };
const part: Growth['parts'][number] = {
  line: null,
  sizes: [97, 112],
  bytes: 2 * MIB,
  blocks: 20_000,
  steps: 10_000,
  grownByRealloc: 0,
  hasStopped: false,
  floors: [0, 0.5 * MIB, MIB, 1.5 * MIB],
};
const held: Growth = {
  floors: [MIB, 1.5 * MIB, 2 * MIB, 3 * MIB],
  rises: true,
  parts: [],
  freed: { blocks: 1e6, bytes: 1e9 },
  reallocBytes: 0,
};
const told = (growth: Partial<Growth>) => {
  const { headline, sentences } = judge({ ...facts, sample: free, growth: { ...held, ...growth } });
  return { headline, all: sentences.join(' ') };
};

describe('a leak beside free memory', () => {
  test('is told with the headline', () => {
    expect(told({ parts: [part] }).headline).toMatch(
      /^Fragmentation .* Beside it a leak, or a program that needs ever more: 2\.00 MiB of 10\.0 MiB resident, blocks of 97 to 112 bytes, grow from quarter to quarter/,
    );
    expect(told({}).headline).toContain('3.00 MiB of 10.0 MiB resident, all that the program holds, grow');
  });

  test('is not where the program may be building what it needs, or has stopped', () => {
    expect(told({ parts: [part], freed: { blocks: 0, bytes: 0 } }).headline).not.toContain('Beside it');
    expect(told({ parts: [{ ...part, hasStopped: true }] }).headline).not.toContain('Beside it');
  });

  test('is not worth a word where it rose by less than a twentieth', () => {
    const { headline, all } = told({ floors: [2.6 * MIB, 2.7 * MIB, 2.8 * MIB, 3 * MIB] });
    expect(headline).not.toContain('Beside it');
    expect(all).not.toMatch(/leak|Least sum|least sum/);
  });
});

test('the rest does not grow, unless realloc makes some of it larger', () => {
  const requested = { ...sample, breakdown: { ...none, requested: 10 * MIB } };
  const headline = (reallocBytes: number) =>
    judge({ ...facts, sample: requested, growth: { ...held, parts: [part], reallocBytes } }).headline;
  expect(headline(0)).toMatch(/grows from quarter to quarter of the run; the rest does not\.$/);
  expect(headline(0.3 * MIB)).toMatch(/quarter of the run\.$/);
});
