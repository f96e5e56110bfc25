import {
  type EventBuffer,
  type Observation,
  OP_CLOCK,
  OP_EXIT,
  OP_FORK,
  OP_MASK,
  OP_SAMPLE,
  OP_SKIPPED,
} from '../../../../sim/contract/event.ts';
import { counted } from '../../../../sim/contract/format.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { LockstepRun } from '../../../run/modes/lockstep.ts';
import { isLook, processSample } from '../../../run/recorded-process.ts';
import type { Facts, Forked } from '../explanation.ts';

/** A look of the recorder at the process that stands for a moment. */
export interface Look {
  /** Of its sample. */
  readonly row: number;
  /** Events from the moment to it, negative where it was before; 0 where none of them allocates or frees. */
  readonly eventsLater: number;
}

/** The look at the moment, with no allocation and no free between, or the nearest one; undefined where there is none. */
export function nearestLook(events: EventBuffer, end: number): Look | undefined {
  const looks = events.observations.filter(isLook);
  const around = [looks.findLast(({ row }) => row < end), looks.find(({ row }) => row >= end)];
  const found = around.flatMap((look) =>
    look ? [{ row: look.row, eventsLater: eventsLater(events, look, end) }] : [],
  );
  return found.sort((x, y) => Math.abs(x.eventsLater) - Math.abs(y.eventsLater))[0];
}

function eventsLater({ head }: EventBuffer, { row }: Observation, end: number): number {
  for (let at = Math.min(end, row); at < Math.max(end, row); at++)
    if (!GOES_BY.has(head[at]! & OP_MASK)) return row - end;
  return 0;
}

const GOES_BY: ReadonlySet<number> = new Set([OP_SAMPLE, OP_CLOCK, OP_EXIT, OP_SKIPPED]);

/** `run`, which notes what is resident at those rows on its way. */
export function notingResident(run: LockstepRun, rows: readonly number[]): Noting {
  const bytes = new Map<number, Bytes>();
  const ahead = [...rows].sort((x, y) => x - y);
  return {
    assembled: run.assembled,
    residentBytes: (row) => bytes.get(row),
    advance(row) {
      for (let at = ahead[0]; at !== undefined && at <= row; at = ahead[0]) {
        ahead.shift();
        run.advance(at);
        if (run.row === at) bytes.set(at, run.assembled.machine.kernel.residency.residentPages() * PAGE_BYTES);
      }
      run.advance(row);
    },
  };
}

interface Noting extends Pick<LockstepRun, 'advance' | 'assembled'> {
  /** undefined where the run did not come so far. */
  residentBytes(row: number): Bytes | undefined;
}

/** The last fork that the process came from, before row `end`. */
export function forkRow(events: EventBuffer, end: number): number | undefined {
  if (!hasOperation(events, OP_FORK)) return undefined;
  const { head } = events;
  for (let row = end - 1; row >= 0; row--) if ((head[row]! & OP_MASK) === OP_FORK) return row;
  return undefined;
}

export const forkedAt = (row: number | undefined, noted: Noting): Forked | null =>
  row === undefined ? null : { event: row, bytes: noted.residentBytes(row) ?? 0 };

/** `1,234 events later` */
export const lookText = (eventsLater: number): string =>
  `${counted(Math.abs(eventsLater), 'event')} ${eventsLater > 0 ? 'later' : 'earlier'}`;

/** The recorded process at a look, beside what is simulated there; undefined where the run did not come so far. */
export function processAt(
  events: EventBuffer,
  { row, eventsLater: processEventsLater }: Look,
  rssBytes: Bytes | undefined,
): Pick<Facts, 'process' | 'processEventsLater'> | undefined {
  if (rssBytes === undefined) return undefined;
  const { values } = events.observations.find((o) => o.row === row)!;
  const label = events.labels[events.a[row]!] ?? '';
  return { process: processSample({ label, event: row, rssBytes }, new Map(values)) ?? null, processEventsLater };
}
