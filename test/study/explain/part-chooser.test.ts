import { expect, test } from 'vitest';
import { createChooser } from '../../../bench/study/explain/growth/part-chooser.ts';
import { createPieces } from '../../../bench/study/explain/growth/pieces.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

test('sizes are taken together in classes of 16 bytes, and from 128 bytes on of a quarter of the doubling', () => {
  const found: (readonly [number, number] | null)[] = [];
  const chooser = createChooser(eventsOf(['m 0 0 1']), (_, sizes) => found.push(sizes) - 1);
  const sizesOf = (size: number) => found[chooser.ofSize(0, size)];
  expect([1, 16, 17, 128, 129, 256, 257, 1025].map(sizesOf)).toEqual([
    [1, 16],
    [1, 16],
    [17, 32],
    [113, 128],
    [129, 160],
    [225, 256],
    [257, 320],
    [1025, 1280],
  ]);
  // A block may be larger than what 32 bits, of bytes or of grains, can say.
  for (const doubling of [2 ** 31, 2 ** 32, 2 ** 36, 2 ** 40]) {
    expect(sizesOf(doubling)).toEqual([(doubling * 7) / 8 + 1, doubling]);
    expect(sizesOf(doubling + 1)).toEqual([doubling + 1, (doubling * 5) / 4]);
  }
  const { length } = found;
  expect(found[chooser.grown(0)]).toBeNull();
  expect(chooser.grown(0)).toBe(length);
});

test('what realloc takes from a block is what it gave last; the place of a block that goes is of another one', () => {
  const pieces = createPieces(200, 3);
  const of = (slot: number) => [0, 1, 2].map((cohort) => pieces.of(slot, cohort));
  pieces.resize(0, 100, 0, 150, 1);
  pieces.resize(0, 150, 0, 180, 2);
  expect(of(0)).toEqual([100, 50, 30]);
  pieces.resize(0, 180, 0, 120, 2);
  expect(of(0)).toEqual([100, 20, 0]);
  pieces.drop(0);
  expect(pieces.has(0)).toBe(false);
  for (let slot = 1; slot < 200; slot++) pieces.resize(slot, slot, 1, slot + 1, 2);
  expect(of(1)).toEqual([0, 1, 1]);
  expect(of(199)).toEqual([0, 199, 1]);
});
