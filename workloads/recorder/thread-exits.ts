/** Records of a thread's exit, one for each round of its destructors: where they begin. */
export interface ThreadExits {
  /** Another thread's records begin at `index`. */
  readonly comes: (index: number) => void;
  readonly exits: (thread: number, index: number) => void;
  /** By thread, of those with nothing behind it. */
  readonly found: () => ReadonlyMap<number, number>;
}

/** `lastOf`: by thread, its last record before the present row of records. */
export function createThreadExits(lastOf: ReadonlyMap<number, number>): ThreadExits {
  const rows = new Map<number, { readonly first: number; last: number }>();
  let rowBegins = 0;
  return {
    comes: (index) => void (rowBegins = index),
    exits(thread, index) {
      const row = rows.get(thread);
      const before = rowBegins === index ? lastOf.get(thread) : index - 1;
      if (row && row.last === before) row.last = index;
      else rows.set(thread, { first: index, last: index });
    },
    found: () =>
      new Map(
        [...rows]
          .filter(([thread, { last }]) => last === lastOf.get(thread))
          .map(([thread, { first }]) => [thread, first]),
      ),
  };
}
