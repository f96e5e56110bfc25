import { type EventBuffer, MALLOPT_NAMES, OP_FREE, OP_MASK, OP_OPT, OP_REALLOC } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import type { LockstepRun } from '../../run/modes/lockstep.ts';
import { requestedAfter } from './requested-after.ts';

/** A value that decides what is given back, and that changed while the program ran. */
export interface TunableChange {
  readonly event: number;
  /** `opt M_TRIM_THRESHOLD 131072`, or the block whose free or realloc did it. */
  readonly cause: string;
  readonly causedBy: 'mallopt' | 'free' | 'realloc';
  /** Requested size of the freed block; undefined for mallopt. */
  readonly blockBytes: Bytes | undefined;
  readonly changes: Readonly<Record<string, readonly [before: number, after: number]>>;
}

/** No allocator changes its thresholds for a block smaller than this. */
const WATCHED_BYTES = 64 * 1024;

/** Runs `run` to row `end` and notes each change of a tunable, with the event that made it. */
export function runWatchingTunables(run: LockstepRun, events: EventBuffer, end: number): TunableChange[] {
  const { allocator } = run.assembled;
  const changes: TunableChange[] = [];
  if (!allocator.tunables) {
    run.advance(end);
    return changes;
  }
  let values = { ...allocator.tunables() };
  requestedAfter(events, end, (row, slot, sizes) => {
    const op = events.head[row]! & OP_MASK;
    const blockBytes = op === OP_OPT ? undefined : sizes[slot]!;
    if (op !== OP_OPT && !((op === OP_FREE || op === OP_REALLOC) && blockBytes! >= WATCHED_BYTES)) return;
    run.advance(row);
    run.advance(row + 1);
    const now = { ...allocator.tunables!() };
    const changed = Object.keys(now).filter((name) => now[name] !== values[name]);
    if (changed.length > 0) {
      changes.push({
        event: row,
        cause: causeText(events, row, blockBytes),
        causedBy: op === OP_OPT ? 'mallopt' : op === OP_FREE ? 'free' : 'realloc',
        blockBytes,
        changes: Object.fromEntries(changed.map((name) => [name, [values[name]!, now[name]!] as const])),
      });
    }
    values = now;
  });
  run.advance(end);
  return changes;
}

function causeText(events: EventBuffer, row: number, blockBytes: Bytes | undefined): string {
  if (blockBytes !== undefined) {
    return `${(events.head[row]! & OP_MASK) === OP_FREE ? 'free' : 'realloc'} of a block of ${blockBytes} bytes`;
  }
  return `mallopt(${MALLOPT_NAMES[events.slot[row]!]}, ${events.a[row]! | 0})`;
}
