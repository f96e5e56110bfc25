import {
  type EventBuffer,
  isAllocating,
  OP_CLOCK,
  OP_EFREE,
  OP_EREALLOC,
  OP_EXIT,
  OP_FREE,
  OP_MASK,
  OP_REALLOC,
  OP_SAMPLE,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
} from '../../../sim/contract/event.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { TEARDOWNS } from '../../../workloads/recorder/end-label.ts';
import { handedOver } from './handed-over.ts';

/** A recording that frees less than this share of the blocks that lived is not torn down. */
const TORN_DOWN = 0.5;
/** A program that lives on for longer than this after its frees has not freed in order to exit. */
export const IDLE_NS: Ns = 1_000_000;
/** What lies further back is not spoken of. */
export const LOOKED_BACK_NS: Ns = 1_000_000_000;
/** A program that goes on with more calls than a last line that is printed and files that are closed take has not freed in order to exit. */
export const CALLS_BEHIND = 32;
/** What lies between frees and is nothing that a program does with its memory. */
export const PASSING: ReadonlySet<number> = new Set([OP_CLOCK, OP_THREAD_BEGIN, OP_THREAD_EXIT, OP_SKIPPED, OP_EXIT]);

/** Frees of most of what lives, with no other call between. */
export interface FinalFrees {
  /** Of the first one. */
  readonly row: number;
  /** Behind the last one. */
  readonly end: number;
  readonly frees: number;
  /** Threads that end between them. */
  readonly threadEnds: number;
  /** Calls of malloc's family between the last one and what follows: a last word that is printed takes a buffer. */
  readonly callsBehind: number;
  /** The time from the last one on. */
  readonly idleNs: Ns;
}

/** The most that are freed at once right before row `end`, where no more than a moment lies behind. */
export function finalFrees(events: EventBuffer, end: number): FinalFrees | undefined {
  const { head, labels, a } = events;
  const isGiven = handedOver(events);
  let found: FinalFrees | undefined;
  let live = liveAt(events, end); // at the row that is looked at, going back
  let calls = 0;
  let idleNs = 0;
  for (let row = end; row > 0 && idleNs <= LOOKED_BACK_NS && calls <= CALLS_BEHIND; ) {
    const op = head[row - 1]! & OP_MASK;
    if (isFree(op)) {
      const run = freesBefore(events, row, isGiven);
      live += run.frees;
      if (run.frees >= TORN_DOWN * live && run.frees > (found?.frees ?? 0)) {
        found = { row: run.row, end: row, frees: run.frees, threadEnds: run.threadEnds, callsBehind: calls, idleNs };
      }
      calls += run.frees;
      idleNs += run.ns;
      row = run.row;
      continue;
    }
    if (op === OP_CLOCK) idleNs += nsOf(events, row - 1);
    else if (isAllocating(op)) {
      calls++;
      if (op !== OP_REALLOC && op !== OP_EREALLOC) live--;
    } else if (op === OP_SAMPLE ? !isRecorders(labels[a[row - 1]!]!) : !PASSING.has(op)) break;
    row--;
  }
  return found;
}

export const isFree = (op: number): boolean => op === OP_FREE || op === OP_EFREE;

export const nsOf = ({ a, b }: EventBuffer, row: number): Ns => b[row]! * 2 ** 32 + a[row]!;

/** Those that end before row `end`, with nothing but time between, and of what threads were given no more than last words. */
function freesBefore(
  events: EventBuffer,
  end: number,
  isGiven: (row: number) => boolean,
): { row: number; frees: number; threadEnds: number; ns: Ns } {
  const { head, labels, a } = events;
  const run = { row: end, frees: 0, threadEnds: 0, ns: 0 };
  let ns = 0;
  let threadEnds = 0;
  let given = 0;
  for (let row = end; row > 0; row--) {
    const op = head[row - 1]! & OP_MASK;
    if (isFree(op)) {
      if (isGiven(row - 1) && ++given > CALLS_BEHIND + threadEnds) break;
      run.frees++;
      run.row = row - 1;
      run.ns = ns;
      run.threadEnds = threadEnds;
    } else if (op === OP_THREAD_EXIT) threadEnds++;
    else if (op === OP_CLOCK) ns += nsOf(events, row - 1);
    else if (op === OP_SAMPLE ? !isRecorders(labels[a[row - 1]!]!) : !PASSING.has(op)) break;
  }
  return run;
}

/** Labels of the recorder's own: the exit, the end, and points spread over the events. */
export const isRecorders = (label: string): boolean =>
  label === 'end' || label === 'exit' || TEARDOWNS.has(label) || /^s\d+$/.test(label);

function liveAt({ head, slot, objectSlots }: EventBuffer, end: number): number {
  const live = new Uint8Array(objectSlots);
  for (let row = 0; row < end; row++) {
    const op = head[row]! & OP_MASK;
    if (isAllocating(op)) live[slot[row]!] = 1;
    else if (isFree(op)) live[slot[row]!] = 0;
  }
  return live.reduce((sum, one) => sum + one, 0);
}

export const isRecorded = (source: string): boolean => source.startsWith('recorded');
