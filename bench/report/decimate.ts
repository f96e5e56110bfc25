/**
 * Rows to keep so that a drawing of all columns misses no peak: the rows are cut into at most `buckets` stretches of
 * equal length in `x`, and from each stretch the first and last row and every column's least and greatest stay.
 */
export function decimate(x: ArrayLike<number>, columns: readonly ArrayLike<number>[], buckets: number): number[] {
  const n = x.length;
  if (n <= buckets * 2) return Array.from({ length: n }, (_, i) => i);
  const first = x[0]!;
  const width = (x[n - 1]! - first) / buckets || 1;
  const kept: number[] = [];
  for (let from = 0; from < n; ) {
    const bucket = Math.floor((x[from]! - first) / width);
    let to = from + 1;
    while (to < n && Math.floor((x[to]! - first) / width) === bucket) to++;
    const rows = new Set([from, to - 1]);
    for (const column of columns) {
      let least = from;
      let greatest = from;
      for (let i = from + 1; i < to; i++) {
        if (column[i]! < column[least]!) least = i;
        if (column[i]! > column[greatest]!) greatest = i;
      }
      rows.add(least).add(greatest);
    }
    kept.push(...[...rows].sort((i, j) => i - j));
    from = to;
  }
  return kept;
}
