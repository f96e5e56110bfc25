import seedrandom from 'seedrandom';

/**
 * A stream of random numbers. Streams are told apart by their purpose, so that a further draw in one part of a
 * simulation does not shift what another part draws. Only integer arithmetic and exact divisions are used: the same
 * seed gives the same numbers on every version of Node.
 */
export interface Random {
  /** Uniform in [0, 1), a multiple of 2^-32. */
  next(): number;
  /** Uniform among the integers from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  /** Between `min` and `max`, both included, with about as many draws in each octave: sizes as programs have them. */
  octaves(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** Of two, for numbers below 2^53: computing them took a seventh of what generating a workload takes. */
const POWERS = Float64Array.from({ length: 54 }, (_, exponent) => 2 ** exponent);

export function createRandom(seed: number, purpose: string): Random {
  const generator = seedrandom(`${seed}/${purpose}`);
  const next = () => (generator.int32() >>> 0) / 2 ** 32;
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    integer,
    octaves(min, max) {
      const lowest = bitLength(min);
      const bits = integer(lowest, bitLength(max));
      const from = Math.max(min, bits === 0 ? 0 : POWERS[bits - 1]!);
      return integer(from, Math.min(max, POWERS[bits]! - 1));
    },
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(0, items.length - 1)]!,
  };
}

/** Binary digits of a number below 2^53. */
function bitLength(value: number): number {
  return value >= 2 ** 32 ? 64 - Math.clz32(value / 2 ** 32) : 32 - Math.clz32(value);
}

/** Every order is as likely. */
export function shuffle(list: number[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
}
