/** A point of several costs, each the smaller the better; null is not known and never better. */
export type Costs = readonly (number | null)[];

/** Whether each cost of `x` is at most that of `y`, and one is less. */
export function dominates(x: Costs, y: Costs): boolean {
  let less = false;
  for (const [i, cost] of x.entries()) {
    const other = y[i] ?? Infinity;
    const own = cost ?? Infinity;
    if (own > other) return false;
    if (own < other) less = true;
  }
  return less;
}

/** Indices of the points that no other point beats in everything. */
export function paretoFront(points: readonly Costs[]): number[] {
  return points.map((_, i) => i).filter((i) => !points.some((other) => dominates(other, points[i]!)));
}
