/** One figure beside its goal. */
export interface CommandRow {
  readonly group: 'whole commands' | 'loading' | 'engine : real allocator' | 'memory and workers';
  readonly name: string;
  /** Of the rounds, in order; the median is what counts. */
  readonly found: readonly number[];
  readonly unit: string;
  /** Undefined where there is none. */
  readonly goal: number | undefined;
  /** Whether less is better. */
  readonly below: boolean;
  /** What the ratio is made of. */
  readonly about?: string;
}

export interface CommandBenchmark {
  readonly rounds: number;
  /** Processes that were ready to run besides, before and behind it, and the machine's processors. */
  readonly load: { readonly before: number; readonly after: number; readonly processors: number };
  /** Why no real allocator was measured. */
  readonly noReal: string | undefined;
  readonly rows: readonly CommandRow[];
  /** Interrupted: only the rows that had finished. */
  readonly partial: boolean;
}

/** Undefined where there is no goal. */
export function isReached({ goal, below }: CommandRow, middle: number): boolean | undefined {
  if (goal === undefined) return undefined;
  return below ? middle <= goal : middle >= goal;
}
