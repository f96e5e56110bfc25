import type { Bytes } from '../../sim/contract/units.ts';
import type { PageRun } from './page-runs.ts';

/** So many blocks of a kind stand for those that were not looked at. */
const KEPT = 64;

/**
 * What was written to blocks of each size and operation, as far as it was seen. Looking has its limits: what nobody saw is taken to be as with the last ones that
 * were looked at, in turn.
 */
export interface UnseenWrites {
  readonly see: (op: number, size: Bytes, runs: readonly PageRun[]) => void;
  /** Of a block that was not looked at; undefined where none of its kind was. */
  readonly guess: (op: number, size: Bytes) => readonly PageRun[] | undefined;
}

/** Operations are fewer. */
const OPS = 64;

export function createUnseenWrites(): UnseenWrites {
  const kinds = new Map<number, { readonly seen: (readonly PageRun[])[]; seenCount: number; guesses: number }>();
  return {
    see(op, size, runs) {
      const kind = kinds.get(size * OPS + op) ?? { seen: [], seenCount: 0, guesses: 0 };
      kind.seen[kind.seenCount++ % KEPT] = runs;
      kinds.set(size * OPS + op, kind);
    },
    guess(op, size) {
      const kind = kinds.get(size * OPS + op);
      return kind?.seen[kind.guesses++ % kind.seen.length];
    },
  };
}

/** Bytes of large blocks that were not looked at, and of those of them whose writes are guessed. */
export function createUnseenSum() {
  let bytes: Bytes = 0;
  let guessed: Bytes = 0;
  return {
    note(size: Bytes, isGuessed: boolean): void {
      bytes += size;
      if (isGuessed) guessed += size;
    },
    bytes: () => bytes,
    guessedBytes: () => guessed,
  };
}
