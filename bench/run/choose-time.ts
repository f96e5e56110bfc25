import { type EventBuffer, isPassing, OP_CLOCK, OP_MASK, type PassingTrace } from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import type { WorkloadTime } from '../../workloads/workload.ts';
import type { Mode, Pace } from './result.ts';

/** How time passes in a run, and why so. */
export interface ChosenTime {
  readonly mode: Mode;
  readonly pace: Pace;
  /** For people: what decided. */
  readonly timeReason: string;
}

/** What was asked for; what is undefined is chosen. */
export interface AskedTime {
  readonly mode?: Mode | undefined;
  readonly pace?: Pace | undefined;
}

/**
 * The one rule of all commands: a trace with times runs when it ran, one with several threads and no times in the order
 * of the file (which of its threads overlapped is not known), one with a single thread in virtual time, and a generated
 * workload as it says, whose events are not looked at. What is asked for goes before.
 */
export function chooseTime(
  events: EventBuffer | PassingTrace | undefined,
  workload: WorkloadTime | undefined,
  asked: AskedTime = {},
): ChosenTime {
  const isTimed = workload === undefined && hasTimes(events!);
  const { mode: ownMode, pace: ownPace, why } = ownTime(events, workload, isTimed);
  // A pace means nothing in file order: who gives one wants time.
  const mode = asked.mode ?? (asked.pace === undefined ? ownMode : 'virtual');
  const pace = asked.pace ?? (mode === 'virtual' ? ownPace : 'asap');
  if (asked.mode === undefined && asked.pace === undefined) return { mode, pace, timeReason: why };
  const asIf = mode !== 'lockstep' && pace === 'asap' && workload === undefined && events!.begins.length > 0;
  const caveat = isTimed
    ? 'the recorded times are not kept'
    : 'the trace has no times: what overlaps here need not have overlapped in the program';
  return { mode, pace, timeReason: `asked for${asIf ? `; ${caveat}` : ''}` };
}

function ownTime(events: EventBuffer | PassingTrace | undefined, workload: WorkloadTime | undefined, isTimed: boolean) {
  if (workload) return { ...workload, why: 'the workload says so' };
  if (isTimed) return { mode: 'virtual', pace: 'recorded', why: 'the trace has times' } as const;
  if (events!.begins.length > 0) {
    const why = 'the trace has several threads and no times: which of them overlapped is unknown';
    return { mode: 'lockstep', pace: 'asap', why } as const;
  }
  return { mode: 'virtual', pace: 'asap', why: 'the trace has one thread and no times' } as const;
}

/** Whether the trace's clock ever moves. One that passes has times in file order alone, where they do not matter. */
export function hasTimes(events: EventBuffer | PassingTrace): boolean {
  if (isPassing(events)) return false;
  if (!hasOperation(events, OP_CLOCK)) return false;
  const { head, a, b, length } = events;
  for (let row = 0; row < length; row++) {
    if ((head[row]! & OP_MASK) === OP_CLOCK && (a[row] !== 0 || b[row] !== 0)) return true;
  }
  return false;
}
