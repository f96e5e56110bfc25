import {
  type EventBuffer,
  MALLOPT_NAMES,
  OP_EREALLOC,
  OP_MASK,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../../../sim/contract/event.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { LockstepRun } from '../../../run/modes/lockstep.ts';
import type { Demand } from './demand.ts';

/** A value that decides what is given back, and that changed while the program ran. */
export interface TunableChange {
  readonly event: number;
  /** `opt M_TRIM_THRESHOLD 131072`, or the block whose free or realloc did it. */
  readonly cause: string;
  readonly causedBy: 'mallopt' | 'free' | 'realloc' | 'request end';
  /** Requested size of the freed block; undefined for mallopt. */
  readonly blockBytes: Bytes | undefined;
  readonly changes: Readonly<Record<string, readonly [before: number, after: number]>>;
}

/** No allocator changes its thresholds for a block smaller than this. */
const WATCHED_BYTES = 64 * 1024;

/** Runs `run` to row `end` and notes each change of a tunable, with the event that made it. */
export function runWatchingTunables(
  run: Pick<LockstepRun, 'advance' | 'assembled'>,
  events: EventBuffer,
  end: number,
  { largeFrees, optionRows }: Demand,
): TunableChange[] {
  const { allocator } = run.assembled;
  const changes: TunableChange[] = [];
  if (!allocator.tunables) {
    run.advance(end);
    return changes;
  }
  let values = { ...allocator.tunables() };
  const watch = (event: number, causedBy: TunableChange['causedBy'], blockBytes: Bytes | undefined) => {
    run.advance(event);
    run.advance(event + 1);
    const now = allocator.tunables!();
    const changed = Object.keys(now).filter((name) => now[name] !== values[name]);
    if (changed.length === 0) return;
    changes.push({
      event,
      cause: causeText(events, event, blockBytes),
      causedBy,
      blockBytes,
      changes: Object.fromEntries(changed.map((name) => [name, [values[name]!, now[name]!] as const])),
    });
    values = { ...now };
  };
  let option = 0;
  const optionsUntil = (row: number) => {
    for (; option < optionRows.length && optionRows[option]! < row; option++)
      watch(optionRows[option]!, 'mallopt', undefined);
  };
  largeFrees.rows.forEach((row, i) => {
    const size = largeFrees.sizes[i]!;
    if (size < WATCHED_BYTES) return;
    optionsUntil(row);
    watch(row, freeingCall(events, row), size);
  });
  optionsUntil(end);
  run.advance(end);
  return changes;
}

function freeingCall({ head }: EventBuffer, row: number): 'free' | 'realloc' | 'request end' {
  const op = head[row]! & OP_MASK;
  if (op === OP_REQUEST_END) return 'request end';
  return op === OP_REALLOC || op === OP_EREALLOC ? 'realloc' : 'free';
}

function causeText(events: EventBuffer, row: number, blockBytes: Bytes | undefined): string {
  if (blockBytes !== undefined) return `${freeingCall(events, row)} of a block of ${blockBytes} bytes`;
  return `mallopt(${MALLOPT_NAMES[events.slot[row]!]}, ${events.a[row]! | 0})`;
}
