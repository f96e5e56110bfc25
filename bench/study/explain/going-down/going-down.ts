import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { idleAtExit } from '../../../../workloads/trace/idle-at-exit.ts';
import { type ExitBegins, exitBegins } from './exit-begins.ts';
import { type FinalEnds, finalEnds } from './final-ends.ts';
import { type FinalFrees, finalFrees, isRecorded } from './final-frees.ts';
import { AT_ONCE_NS, IDLE_NS } from './pauses.ts';
import { areUsual } from './usual-frees.ts';

/**
 * From where on a program goes down: what it does behind that it does only in order to end.
 *
 *       its work │ frees of locals │ ends of threads │ exit
 *                ^ `row`, before as many of these as there are
 */
export interface GoingDown {
  /** Everything from this one on. */
  readonly row: number;
  /** With which the program then ends. */
  readonly exit: ExitBegins;
  /** Ends of threads, with which it goes down to that. */
  readonly ends: FinalEnds | undefined;
  /** Frees right before: `row` is before them too if `areLocals`. */
  readonly frees: FinalFrees | undefined;
  /** Whether main()'s locals die in these; undefined where the events do not tell: what is left of the heap does (withLocals). */
  readonly areLocals: boolean | undefined;
  /** The program freed so all along (areUsual): these are no locals of main()'s. */
  readonly areUsual: boolean;
}

export function goingDown(events: EventBuffer): GoingDown {
  const exit = exitBegins(events);
  const ends = endsBefore(events, exit);
  const row = ends?.row ?? exit.row;
  const frees = freesBefore(events, row, exit, ends);
  if (!frees) return { row, exit, ends, frees, areLocals: false, areUsual: false };
  const isUsual = exit.sign.by === 'exit' && areUsual(events, frees);
  const found = { row, exit, ends, frees, areLocals: undefined, areUsual: isUsual };
  return !isUsual && frees.idleNs <= AT_ONCE_NS && frees.callsBehind === 0 ? withLocals(found, frees) : found;
}

/** The same where the frees are known to be those of locals. */
export const withLocals = (down: GoingDown, { row }: FinalFrees): GoingDown => ({ ...down, row, areLocals: true });

/** Ends of threads with which the program goes down to its exit. */
function endsBefore(events: EventBuffer, exit: ExitBegins): FinalEnds | undefined {
  if (exit.sign.by === 'end of the trace' || !isRecorded(events.source)) return undefined;
  const ends = finalEnds(events, exit.row);
  return ends && goesOn(events, exit, ends) ? undefined : ends;
}

/** Whether the program frees most of what lives once its threads have ended, and then lives on. */
function goesOn(events: EventBuffer, exit: ExitBegins, { lastRow }: FinalEnds): boolean {
  const last = freesBefore(events, exit.row, exit, undefined);
  return last !== undefined && last.row > lastRow && last.idleNs > IDLE_NS;
}

/** The frees right before row `end`, where nothing else tells of them. */
function freesBefore(
  events: EventBuffer,
  end: number,
  { sign }: ExitBegins,
  ends: FinalEnds | undefined,
): FinalFrees | undefined {
  if ((sign.by !== 'exit' && sign.by !== 'interpreter') || !isRecorded(events.source)) return undefined;
  const begun = sign.by === 'interpreter' ? sign.interpreter.begun : Infinity;
  // Most of what lives may be the interpreter's own.
  const last = finalFrees(events, Math.min(end, begun), sign.by === 'interpreter');
  if (!last || last.callsBehind > 0 || ends || sign.by === 'interpreter') return last;
  return { ...last, idleNs: Math.min(last.idleNs, idleAtExit(events)) };
}
