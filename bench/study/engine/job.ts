import { gunzipSync, gzipSync } from 'node:zlib';
import { decodePlain, encodePlain } from '../parallel/plain-json.ts';
import type { DescribedTask } from '../parallel/run-key.ts';
import { type OutcomeOf, type Task, taskText } from '../parallel/task.ts';
import type { CommandJob, CommandOutcome } from './command-job.ts';

/** What a job brings, as encodePlain writes it: a DescribedTask, or a CommandJob. The job's id is the key of it. */
export type JobData = { readonly task: string } | { readonly command: string };

export const taskData = (task: DescribedTask): JobData => ({ task: encodePlain(task) });
export const commandData = (command: CommandJob): JobData => ({ command: encodePlain(command) });

/** For people. */
export function jobText(data: JobData): string {
  if ('command' in data) return `sim ${decodePlain<CommandJob>(data.command).args.join(' ')}`;
  return taskText(decodePlain<DescribedTask>(data.task));
}

/** What became of a run. */
export type Outcome =
  | { readonly run: OutcomeOf<Task> }
  | { readonly command: CommandOutcome }
  /** A line for the user. */
  | { readonly userError: string }
  /** A broken invariant, with its stack. */
  | { readonly internalError: string };

export const encodeOutcome = (outcome: Outcome): Buffer => gzipSync(encodePlain(outcome), { level: 1 });

export const decodeOutcome = (bytes: Uint8Array): Outcome => decodePlain(gunzipSync(bytes).toString());
