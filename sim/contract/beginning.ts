export type Column = Int32Array | Uint32Array | Float64Array | Uint8Array;

/**
 * What of a run lies outside of the machine's memory (where threads stand in time, how far a trace has been read), so that the next run can begin
 * as this one did: the host's compiler knows the functions over these very arrays, and would begin anew with others.
 *
 *   made     keep() and also() by whoever makes a part
 *   later    mark(), once all are made; restore() before each further run
 */
export interface Beginning {
  /** `used` tells how many elements from the first on may be anything but zero. */
  keep<T extends Column>(column: T, used?: () => number): T;
  /** `putBack` is called once columns are as they were, for what is in lists and variables. */
  also(putBack: () => void): void;
  mark(): void;
  restore(): void;
}

export function createBeginning(): Beginning {
  const columns: { readonly column: Column; readonly used: () => number }[] = [];
  const others: (() => void)[] = [];
  let marked: Column[] | undefined;

  return {
    keep(column, used = () => column.length) {
      columns.push({ column, used });
      return column;
    },
    also: (putBack) => void others.push(putBack),
    mark() {
      marked = columns.map(({ column, used }) => column.slice(0, used()));
    },
    restore() {
      const lengths = columns.map(({ used }) => used()); // before any is put back that tells how long another one is
      columns.forEach(({ column }, i) => {
        const first = marked![i]!;
        column.set(first);
        column.fill(0, first.length, lengths[i]);
      });
      for (const putBack of others) putBack();
    },
  };
}
