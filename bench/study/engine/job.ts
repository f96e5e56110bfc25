import { gunzipSync, gzipSync } from 'node:zlib';
import type { ReportRun } from '../../report/report-run.ts';
import { decodePlain, encodePlain } from '../parallel/plain-json.ts';

/** What a job brings; its id is the key of the run. */
export interface JobData {
  /** A DescribedTask, as encodePlain writes it. */
  readonly task: string;
}

/** What became of a run. */
export type Outcome =
  | { readonly run: ReportRun }
  /** A line for the user. */
  | { readonly userError: string }
  /** A broken invariant, with its stack. */
  | { readonly internalError: string };

export const encodeOutcome = (outcome: Outcome): Buffer => gzipSync(encodePlain(outcome), { level: 1 });

export const decodeOutcome = (bytes: Uint8Array): Outcome => decodePlain(gunzipSync(bytes).toString());
