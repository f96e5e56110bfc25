import { createRandom } from '../contract/random.ts';

/** Numbers that are drawn beforehand and used in turn, again and again: drawing one takes longer than most of what it is for. */
export interface Draws {
  next(): number;
}

/** A power of two, more than a lock's waits or a processor's slices could bring into step. */
const COUNT = 16_384;

/** Uniform in [0, 1), or what `of` makes of such a number. */
export function createDraws(
  seed: number,
  purpose: string,
  { count = COUNT, of = (uniform: number) => uniform } = {},
): Draws {
  const random = createRandom(seed, purpose);
  const numbers = Float64Array.from({ length: count }, () => of(random.next()));
  const state = new Int32Array(1); // which was the last
  return {
    next() {
      const i = (state[0]! + 1) & (count - 1);
      state[0] = i;
      return numbers[i]!;
    },
  };
}
