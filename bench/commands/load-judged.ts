import { parseAllocator } from '../../allocators/spec.ts';
import type { Ns } from '../../sim/contract/units.ts';
import { recordedAllocator } from '../run/recorded-allocator.ts';
import { isRecorded } from '../study/explain/going-down/final-frees.ts';
import { loadForMoment, momentOf } from '../study/explain/moment-in-run.ts';
import { programTime } from '../study/explain/program-time.ts';
import { upTo } from '../study/explain/what-if.ts';
import { loadForBatch, loadTask } from './load-task.ts';

type BatchArguments = Parameters<typeof loadForBatch>[0];

/** What a run is judged by: all of a trace, or the part up to the moment that `explain` takes. */
export interface JudgedTask {
  readonly task: Awaited<ReturnType<typeof loadTask>>;
  /** The allocator that was recorded. */
  readonly recorded: string;
  /** Completes "Judged …"; null where all of it is run. */
  readonly moment: { readonly event: number; readonly about: string } | null;
  /** Processor time of the recorded program up to there; null: it is not known. */
  readonly programNs: Ns | null;
}

/** `--at` for the moment that `explain` takes where nobody says. */
export const JUDGED = 'judged';

/** `at` as for explain, or JUDGED; without it a recording is judged where explain judges it, and everything else at its end. */
export async function loadJudged(argv: BatchArguments, at: string | undefined): Promise<JudgedTask> {
  const batch = await loadForBatch(argv);
  const { recorded } = batch;
  if (at === undefined && !isRecorded(batch.source)) return { ...batch, moment: null, programNs: null };
  const { generated: _, ...task } = batch.task.events ? batch.task : await loadTask(argv);
  const events = task.events!;
  const options = { ...task, events, spec: parseAllocator(argv.allocator ?? recordedAllocator(events), task.cpus) };
  await loadForMoment(options);
  const { end, about } = momentOf(options, at === JUDGED ? undefined : at);
  const programNs = programTime(events, end);
  if (end >= events.length) return { task: batch.task, recorded, moment: null, programNs };
  return { task: { ...task, events: upTo(events, end) }, recorded, moment: { event: end, about }, programNs };
}
