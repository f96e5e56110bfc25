import { createHash } from 'node:crypto';
import { buildIdentity } from './build-identity.ts';
import { canonicalPlain } from './plain-json.ts';
import type { RunTask } from './run-task.ts';
import { traceHash } from './trace-content.ts';

/** A run without its events: what is written down, sent and hashed. */
export interface DescribedTask extends Omit<RunTask, 'events'> {
  /** traceHash of the events; null where they are generated. */
  readonly trace: string | null;
}

export function describeTask({ events, ...rest }: RunTask): DescribedTask {
  if (rest.generated) return { ...rest, trace: null };
  if (!events) throw new Error(`${rest.workload}: a task without events, and none that can be generated`);
  return { ...rest, trace: traceHash(events) };
}

/** Two runs with the same key compute the same. */
export function runKey(task: DescribedTask): string {
  return createHash('sha256').update(buildIdentity()).update('\0').update(canonicalPlain(task)).digest('hex');
}
