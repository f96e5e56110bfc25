import type { Bytes } from '../../../../sim/contract/units.ts';

/** Of a length that is looked at: of the events, or of the recorded time. */
export const EIGHTHS = 8;

/** Least bytes in each quarter. */
export type Floors = readonly [Bytes, Bytes, Bytes, Bytes];

/** The least that is held in each eighth of a length. */
export function eighthsOf(length: number): {
  readonly floors: Float64Array;
  /** No `from` lies before that of the last call. */
  holds(sum: Bytes, from: number, to: number): void;
} {
  const floors = new Float64Array(EIGHTHS).fill(Infinity);
  const size = eighthOf(length);
  let eighth = 0;
  let next = size;
  const reach = (place: number) => {
    while (place >= next) next = ++eighth < EIGHTHS - 1 ? next + size : Infinity;
  };
  return {
    floors,
    holds(sum, from, to) {
      if (from >= next) reach(from);
      if (sum < floors[eighth]!) floors[eighth] = sum;
      if (to < next) return;
      for (let e = eighth + 1; e < EIGHTHS && to >= e * size; e++) if (sum < floors[e]!) floors[e] = sum;
    },
  };
}

/** How long an eighth is; what lies behind eight of them is of the last. */
export const eighthOf = (length: number): number => Math.max(1, Math.ceil(length / EIGHTHS));

/** Each eighth that saw nothing holds what the one before did. The first one begins with nothing, so its quarter is the second. */
export function quartersOf(eighths: Float64Array): Floors {
  for (let e = 1; e < EIGHTHS; e++) if (eighths[e] === Infinity) eighths[e] = eighths[e - 1]!;
  const least = (q: number): Bytes => Math.min(eighths[2 * q]!, eighths[2 * q + 1]!);
  return [eighths[1]!, least(1), least(2), least(3)];
}

/** Whether the last eighth is not below the one before: what falls at the end is no leak. */
const lasts = (eighths: Float64Array): boolean => eighths[EIGHTHS - 1]! >= eighths[EIGHTHS - 2]!;

/** What grew less than this share of what it grew in the quarter before is filling up. */
const SLOWS = 2 / 3;

/** Whether each quarter has more than the one before, the last by at least a tenth and without slowing down. */
export function isRising(eighths: Float64Array): boolean {
  const [first, second, third, fourth] = quartersOf(eighths);
  const goesOn = fourth >= third * 1.1 && fourth - third >= (third - second) * SLOWS;
  return first < second && second < third && goesOn && fourth > 0 && lasts(eighths);
}

/** A quarter's part of what grows is no less than this share of the largest: what is not steady is not called growth without end. */
const EVEN = 1 / 4;

/**
 * Whether it grows by what stays: `stayed` bytes of each quarter live at the end. Blocks that are replaced now and then stay long
 * too, but then the floors do not rise; floors of what is replaced rise by chance, but then little of each quarter stays.
 */
export function isGrowing(eighths: Float64Array, stayed: Floors): boolean {
  const [first, second, third, fourth] = quartersOf(eighths);
  const [, early, late, last] = stayed;
  const least = EVEN * Math.max(early, late);
  return (
    Math.min(early, late, last) >= least &&
    least > 0 &&
    first < second &&
    third - second >= least &&
    fourth - third >= Math.max(least, (third - second) * SLOWS) &&
    lasts(eighths)
  );
}
