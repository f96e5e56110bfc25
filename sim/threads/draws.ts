import { createRandom } from '../random.ts';

/** Random numbers that are drawn beforehand and used in turn, again and again: drawing one takes longer than most of what it is for. */
export interface Draws {
  /** Uniform in [0, 1). */
  next(): number;
}

/** More than a lock's waits or a processor's slices could bring into step. */
const COUNT = 16_384;

export function createDraws(seed: number, purpose: string): Draws {
  const random = createRandom(seed, purpose);
  const numbers = Float64Array.from({ length: COUNT }, () => random.next());
  const state = new Int32Array(1); // which was the last
  return {
    next() {
      const i = (state[0]! + 1) & (COUNT - 1);
      state[0] = i;
      return numbers[i]!;
    },
  };
}
