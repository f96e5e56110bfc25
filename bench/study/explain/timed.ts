import { formatAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../sim/contract/event.ts';
import { duration, percent } from '../../../sim/contract/format.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { Explanation } from './explanation.ts';
import { taskOf } from './what-if.ts';

/**
 * What the advised setting costs in time: the run as it is and the run with it, up to the same event, in virtual time. Lock
 * waits of a trace without times are not known, and not told.
 */
export async function timed(options: RunOptions, explanation: Explanation, runner: Runner): Promise<Explanation> {
  const { advice } = explanation.verdict;
  if (!advice) return explanation;
  const kernel = advice.thp === null ? undefined : advice.thp;
  const hasTimes = isTimed(options.events, explanation.event);
  const tasks = [
    taskOf(options, explanation.event, formatAllocator(options.spec)),
    taskOf(options, explanation.event, advice.allocator, kernel),
  ].map((task) => ({ ...task, mode: 'virtual' as const, pace: hasTimes ? ('recorded' as const) : task.pace }));
  let results: RunResult[];
  try {
    results = (await runner.run(tasks)).map(({ result }) => result);
  } catch (error) {
    if (error instanceof UserError) return explanation; // what virtual time does not take
    throw error;
  }
  const [before, after] = results.map(({ summary }) => ({ cpuNs: summary.cpuNs ?? 0, waitNs: summary.waitNs ?? 0 }));
  const whole = { ...advice, cpuNs: after!.cpuNs, lockWaitNs: hasTimes ? after!.waitNs : null };
  const waits =
    hasTimes && before!.waitNs + after!.waitNs > 0
      ? `, waits for locks of ${duration(after!.waitNs)} instead of ${duration(before!.waitNs)}`
      : '';
  const change = before!.cpuNs > 0 ? after!.cpuNs / before!.cpuNs - 1 : 0;
  const sentence = `${advice.setting} takes ${duration(after!.cpuNs)} of work instead of ${duration(before!.cpuNs)} (${change > 0 ? '+' : ''}${percent(change)})${waits}, simulated.`;
  const { verdict } = explanation;
  return {
    ...explanation,
    whatIf: explanation.whatIf.map((w) => (w === advice ? whole : w)),
    verdict: {
      ...verdict,
      advice: whole,
      sentences: [...verdict.sentences, sentence],
      answer: [...verdict.answer, sentence],
    },
  };
}

export function isTimed({ head }: EventBuffer, end: number): boolean {
  for (let row = 0; row < end; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) return true;
  return false;
}
