/** What several seeds of one run gave. */
export interface Spread {
  readonly values: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { values, median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Whether every value of the one is smaller than every value of the other: only then is it called a difference. */
export function isBelow(x: Spread, y: Spread): boolean {
  return x.max < y.min;
}

export function differ(x: Spread, y: Spread): boolean {
  return isBelow(x, y) || isBelow(y, x);
}
