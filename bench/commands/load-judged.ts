import type { Ns } from '../../sim/contract/units.ts';
import { isRecorded } from '../study/explain/going-down/final-frees.ts';
import { upToMoment } from '../study/explain/moment/up-to-moment.ts';
import { programTime } from '../study/explain/recorded/program-time.ts';
import type { JudgedMoment } from '../study/judged-moment.ts';
import { loadForBatch, loadTask } from './load-task.ts';

type BatchArguments = Parameters<typeof loadForBatch>[0];

/** What a run is judged by: all of a workload, or the part up to a moment. */
export interface JudgedTask {
  readonly task: Awaited<ReturnType<typeof loadTask>>;
  /** The allocator that was recorded. */
  readonly recorded: string;
  /** null where all of it is run. */
  readonly moment: JudgedMoment | null;
  /** Processor time of the recorded program up to there; null: it is not known. */
  readonly programNs: Ns | null;
}

/** `at` as for explain; without it a recording is judged where explain judges it, and everything else at its end. */
export async function loadJudged(argv: BatchArguments, at: string | undefined): Promise<JudgedTask> {
  const batch = await loadForBatch(argv);
  const { recorded } = batch;
  if (at === undefined && !isRecorded(batch.source)) return { ...batch, moment: null, programNs: null };
  const { generated: _, ...task } = batch.task.events ? batch.task : await loadTask(argv);
  const { events, until, moment } = await upToMoment({ ...task, events: task.events! }, at, argv.allocator);
  const programNs = programTime(task.events!, moment?.event ?? task.events!.length);
  return { task: until === undefined ? batch.task : { ...task, events, until }, recorded, moment, programNs };
}
