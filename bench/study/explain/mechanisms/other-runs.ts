import { formatAllocator } from '../../../../allocators/spec.ts';
import { type EventBuffer, OP_MASK, OP_SKIPPED, OP_TRIM } from '../../../../sim/contract/event.ts';
import { bytes, count, counted } from '../../../../sim/contract/format.ts';
import type { Sample } from '../../../../sim/metrics/sample.ts';
import { sharedCopy } from '../../../../workloads/trace/columns.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import type { Facts } from '../explanation.ts';
import { withClock } from '../settings/other-clock.ts';
import { taskOf } from '../settings/what-if.ts';
import { type AtPaces, FEWER_FAULTS, type Finding, type OtherRuns, type WithoutTrims } from './mechanism.ts';

/** Runs up to row `end`; each is made when it is its turn, for it has columns of its own. */
export function* tasksOfOthers(options: RunOptions, end: number, others: OtherRuns): Generator<RunTask> {
  const task = taskOf(options, end, formatAllocator(options.spec));
  const events = task.events!;
  if ('trims' in others) yield { ...task, events: withoutTrims(events) };
  else for (const pace of others.paces) yield { ...task, events: withClock(events, pace, others.keptFromNs) };
}

function withoutTrims(events: EventBuffer): EventBuffer {
  const head = sharedCopy(events.head.subarray(0, events.length));
  for (let row = 0; row < events.length; row++)
    if ((head[row]! & OP_MASK) === OP_TRIM) head[row] = (head[row]! & ~OP_MASK) | OP_SKIPPED;
  return { ...events, head };
}

/** The finding with what these have come to, one after the other. */
export function withOthers(finding: Finding, facts: Facts, ends: readonly Sample[]): Finding {
  const { others, ...told } = finding;
  if (!others) return finding;
  const sentences = 'trims' in others ? trimSentence(others, facts, ends[0]!) : paceSentence(others, facts, ends);
  return { ...told, sentences: [...finding.sentences, ...sentences] };
}

function paceSentence({ lead, leastBytes }: AtPaces, { sample }: Facts, ends: readonly Sample[]): string[] {
  const resident = [sample, ...ends].map(({ rssBytes }) => rssBytes);
  const faults = [sample, ...ends].map((end) => end.faults);
  if (Math.max(...resident) - Math.min(...resident) < leastBytes) return [];
  return [
    `${lead} ${rangeOf(resident, bytes)} would be resident here, at ${rangeOf(faults, count)} page faults (run). A setting that saves less than these lie apart may save nothing in another run.`,
  ];
}

function rangeOf(values: readonly number[], text: (value: number) => string): string {
  const [least, most] = [text(Math.min(...values)), text(Math.max(...values))];
  return least === most ? most : `${least} to ${most}`;
}

function trimSentence({ trims }: WithoutTrims, { sample }: Facts, { faults, rssBytes }: Sample): string[] {
  if (faults > sample.faults * (1 - FEWER_FAULTS)) return [];
  return [
    `The program asks for it: without its ${counted(trims, 'call')} of malloc_trim there are ${counted(faults, 'page fault')}, and ${bytes(rssBytes)} are resident here instead of ${bytes(sample.rssBytes)} (run).`,
  ];
}
