/** What main.ts tells a worker process, as JSON in its argument. */
export interface FuzzTask {
  readonly area: string;
  readonly inputs: number;
  readonly seed: number;
  /** How many inputs the batches before have: of an area that has all of them, the first. */
  readonly from: number;
  /** The file in which an input stands while it is checked. */
  readonly current: string;
  /** Inputs before this one have been looked at. */
  readonly next: number;
  /** Check the next one alone, and tell what it costs. */
  readonly isAlone: boolean;
}

export const MEMORY_MAX_BYTES = 512 * 2 ** 20;

/** What a worker tells: which input comes next, of which allowance; how one is found to fail, before it is shrunk; what one costs alone; how the batch ended. */
export type Report =
  | { readonly kind: 'next'; readonly number: number; readonly allowanceMs: number }
  | { readonly kind: 'fails'; readonly error: string }
  | { readonly kind: 'cost'; readonly processorMs: number; readonly allowanceMs: number }
  | { readonly kind: 'passed'; readonly slowest: Slowest; readonly peakBytes: number }
  | { readonly kind: 'failed'; readonly path: string; readonly error: string };

export interface Slowest {
  readonly number: number;
  readonly processorMs: number;
}
