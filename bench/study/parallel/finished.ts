import { Interrupted } from '../../../sim/contract/assert.ts';

/** Ctrl-C in a batch of runs. */
export class BatchInterrupted<T> extends Interrupted {
  /** In the order of the tasks; nothing where a run had not finished. */
  readonly finished: readonly (T | undefined)[];

  constructor(finished: readonly (T | undefined)[]) {
    super('interrupted');
    this.finished = finished;
  }
}

/** Runs of a batch that died with what executed them; the others came to their end. */
export class BatchFailed<T> extends Error {
  override readonly name = 'BatchFailed';
  /** In the order of the tasks; nothing where a run failed. */
  readonly finished: readonly (T | undefined)[];
  /** A line each. */
  readonly failures: readonly string[];

  constructor(finished: readonly (T | undefined)[], failures: readonly string[]) {
    super(failures.join('; '));
    this.finished = finished;
    this.failures = failures;
  }
}

/** Whether the error leaves the runs that had finished. */
export function leavesRuns(error: unknown): error is BatchInterrupted<unknown> | BatchFailed<unknown> {
  return error instanceof BatchInterrupted || error instanceof BatchFailed;
}

/** Runs of a batch, whole or as far as they had come when it was interrupted. */
export interface BatchOutcome<T> {
  readonly runs: readonly (T | undefined)[];
  readonly partial: boolean;
}

/** Takes Ctrl-C or a failed run for a short batch; without any finished run the error stays one. */
export async function orFinished<T>(work: Promise<T[]>): Promise<BatchOutcome<T>> {
  try {
    return { runs: await work, partial: false };
  } catch (error) {
    if (!leavesRuns(error) || error.finished.every((run) => run === undefined)) throw error;
    return { runs: error.finished as readonly (T | undefined)[], partial: true };
  }
}

/**
 * The part of a table of runs that is whole: the rows without a gap, with all their columns; where there is none, the
 * fullest row, with the columns that it has.
 */
export function wholePart<T>(rows: readonly (readonly (T | undefined)[])[]): {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
} {
  const held = (row: readonly (T | undefined)[]) => row.flatMap((run, column) => (run === undefined ? [] : [column]));
  const whole = rows.flatMap((row, i) => (held(row).length === row.length ? [i] : []));
  if (whole.length > 0) return { rows: whole, columns: rows[0]!.map((_, column) => column) };
  const fullest = rows.reduce((best, row, i) => (held(row).length > held(rows[best]!).length ? i : best), 0);
  return { rows: [fullest], columns: held(rows[fullest]!) };
}
