/** Pages of a block's address space: page 0 is the one that the block begins in. */
export interface PageRun {
  readonly first: number;
  readonly count: number;
}

/** Those side by side, or over each other, as one. */
export function joined(runs: readonly PageRun[]): PageRun[] {
  const all: { first: number; count: number }[] = [];
  for (const { first, count } of [...runs].sort((x, y) => x.first - y.first)) {
    const last = all.at(-1);
    if (last && first <= last.first + last.count) last.count = Math.max(last.count, first + count - last.first);
    else all.push({ first, count });
  }
  return all;
}
