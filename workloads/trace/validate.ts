import type { EventBuffer } from '../../sim/contract/event.ts';
import { readTrace } from './reader.ts';
import type { Violation } from './text/violation.ts';

/** What is wrong or odd about a trace. */
export interface TraceCheck {
  /** The first ones. */
  readonly violations: readonly Violation[];
  readonly violationCount: number;
  /** Allowed, but hardly meant: each with its line. */
  readonly notes: readonly { readonly line: number; readonly text: string }[];
  readonly noteCount: number;
  /** What is left without the events that break a rule. */
  readonly events: EventBuffer;
}

/** Reads the whole trace and collects the rules that it breaks. Throws a UserError where it is no trace at all. */
export async function checkTrace(path: string, limit: number): Promise<TraceCheck> {
  const violations: Violation[] = [];
  const notes: { line: number; text: string }[] = [];
  let violationCount = 0;
  let noteCount = 0;
  const events = await readTrace(path, {
    lenient: true,
    onViolation(violation) {
      if (violationCount++ < limit) violations.push(violation);
    },
    onNote(line, text) {
      if (noteCount++ < limit) notes.push({ line, text });
    },
  });
  return { violations, violationCount, notes, noteCount, events };
}
