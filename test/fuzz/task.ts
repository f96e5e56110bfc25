/** What main.ts tells a worker process, as JSON in its argument. */
export interface FuzzTask {
  readonly area: string;
  readonly inputs: number;
  readonly seed: number;
  /** How many inputs the batches before have: of an area that has all of them, the first. */
  readonly from: number;
  /** Only tell what this input is. */
  readonly show?: number;
}

/** Of processor time, beyond the input's allowance. */
export const HANG_MS = 2000;
export const MEMORY_MAX_BYTES = 512 * 2 ** 20;

/** What a worker tells: how far it is, with the allowance of the input that comes next, and at last how it ended. `file` is in base64. */
export type Report =
  | { readonly kind: 'progress'; readonly done: number; readonly allowanceMs: number }
  | { readonly kind: 'passed'; readonly done: number; readonly peakBytes: number }
  | { readonly kind: 'input'; readonly file: string }
  | {
      readonly kind: 'failed';
      readonly done: number;
      readonly path: string;
      readonly error: string;
      readonly file: string;
    };
