import { gunzipSync, gzipSync } from 'node:zlib';
import { decodePlain, encodePlain } from '../parallel/plain-json.ts';
import type { DescribedTask } from '../parallel/run-key.ts';
import { type OutcomeOf, type Task, taskText } from '../parallel/task.ts';

/** What a job brings: a DescribedTask as encodePlain writes it. The job's id is the key of it. */
export interface JobData {
  readonly task: string;
}

export const taskData = (task: DescribedTask): JobData => ({ task: encodePlain(task) });

/** For people. */
export const jobText = ({ task }: JobData): string => taskText(decodePlain<DescribedTask>(task));

/** What became of a run. */
export type Outcome =
  | { readonly run: OutcomeOf<Task> }
  /** A line for the user. */
  | { readonly userError: string }
  /** A broken invariant, with its stack. */
  | { readonly internalError: string };

export const encodeOutcome = (outcome: Outcome): Buffer => gzipSync(encodePlain(outcome), { level: 1 });

export const decodeOutcome = (bytes: Uint8Array): Outcome => decodePlain(gunzipSync(bytes).toString());
