import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { rowsUntil } from '../../../run/stop-point.ts';
import { exitBegins } from '../going-down/exit-begins.ts';
import { type GoingDown, goingDown } from '../going-down/going-down.ts';
import { endText, exitText, reasonText } from '../going-down/reason-text.ts';

/** The point of a run that is judged. */
export interface Moment {
  readonly kind: 'label' | 'event' | 'peak' | 'exit' | 'end';
  /** Events executed. */
  readonly end: number;
  /** Which moment it is and how it was found: completes "Judged …". */
  readonly about: string;
}

/** `--at` for the moment that is taken where nobody says. */
export const JUDGED = 'judged';

const KEYWORDS: readonly string[] = [JUDGED, 'peak', 'exit', 'end'];

/**
 * `at`: a sample's label, `#N`, or one of `judged`, `peak`, `exit`, `end` where no sample is labelled so; by default, and as `judged`, the last
 * moment before the program goes down, where that is known or can be told, else the end. undefined where the events alone do not tell.
 */
export function momentFromEvents(events: EventBuffer, at: string | undefined): Moment | undefined {
  if (at !== undefined && (!KEYWORDS.includes(at) || events.labels.includes(at))) {
    const end = rowsUntil(events, at, KEYWORDS);
    return at.startsWith('#')
      ? { kind: 'event', end, about: `after event ${at.slice(1)}` }
      : { kind: 'label', end, about: `at the sample '${at}'` };
  }
  if (at === 'peak') return undefined;
  if (at === 'end') return { kind: 'end', end: events.length, about: endText(events) };
  if (at === 'exit') return exitMoment(events);
  const down = goingDown(events);
  return down.areLocals === undefined ? undefined : momentBefore(down, events);
}

/** `left`: what its last frees leave, where a run was needed to tell. */
export const momentBefore = (down: GoingDown, events: EventBuffer, left = ''): Moment => ({
  kind: down.exit.sign.by === 'end of the trace' ? 'end' : 'exit',
  end: down.row,
  about: reasonText(down, events, left),
});

function exitMoment(events: EventBuffer): Moment {
  const exit = exitBegins(events);
  const kind = exit.sign.by === 'end of the trace' ? 'end' : 'exit';
  return { kind, end: exit.row, about: exitText(exit, events) };
}
