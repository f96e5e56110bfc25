import type { OptionValue } from '../../../allocators/model.ts';

/**
 * Options that work on the same thing, by what it is: where one alone does nothing, the other still keeps it, as chunks that leave the
 * thread's cache go to a fastbin and stay as unmerged as before.
 */
const TOGETHER: readonly (readonly string[])[] = [
  ['mxfast', 'tcache_count', 'tcache_max'], // glibc: chunks that nothing merges with
  ['mmap_threshold', 'trim_threshold', 'top_pad'], // glibc: what goes back at the end of a heap
  ['dirty_decay_ms', 'muzzy_decay_ms', 'background_thread'], // jemalloc: pages on their way back
  ['tcache', 'tcache_max', 'lg_tcache_nslots_mul', 'narenas'], // jemalloc: where threads keep what is free
  ['lg_extent_max_active_fit', 'oversize_threshold', 'retain'], // jemalloc: which extents are used again
];

interface Tried {
  readonly option: string;
  readonly values: readonly OptionValue[];
}

export interface Pair {
  readonly first: Tried;
  readonly second: Tried;
}

/** Pairs of those of the options that work on the same thing, in the order of the options. */
export function pairsOf(dimensions: readonly Tried[]): Pair[] {
  return dimensions.flatMap((first, i) =>
    dimensions
      .slice(i + 1)
      .filter(({ option }) => TOGETHER.some((group) => group.includes(first.option) && group.includes(option)))
      .map((second) => ({ first, second })),
  );
}

/** Values of an option that a pair is tried with: both ends, and what did best alone. */
export function fewValues(values: readonly OptionValue[], bestAlone: OptionValue | undefined): OptionValue[] {
  const few = [values[0], values.at(-1), bestAlone].filter((value) => value !== undefined);
  return [...new Set(few)];
}
