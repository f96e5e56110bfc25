import {
  askedBytes,
  type EventBuffer,
  isAllocating,
  OP_CALLOC,
  OP_CLOCK,
  OP_EFREE,
  OP_EREALLOC,
  OP_EXIT,
  OP_FREE,
  OP_JOIN,
  OP_MALLOC,
  OP_MASK,
  OP_REALLOC,
  OP_SAMPLE,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
} from '../../../../sim/contract/event.ts';
import { type Bytes, type Ns, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { inPieces } from '../../../../sim/replay/row-pieces.ts';
import { TEARDOWNS } from '../../../../workloads/recorder/end-label.ts';
import { idleAtExit } from '../../../../workloads/trace/idle-at-exit.ts';
import { handedOver } from './handed-over.ts';
import { IDLE_NS, LOOKED_BACK_NS, nsOf, STOPPED_NS } from './pauses.ts';

/** A recording that frees less than this share of the blocks that lived is not torn down. */
const TORN_DOWN = 0.5;
/** A program that goes on with more calls than a last line that is printed and files that are closed take has not freed in order to exit. */
export const CALLS_BEHIND = 32;
/** What is asked for beyond last words, each with a page of stdio's buffers, is work. */
export const WORK_BYTES: Bytes = CALLS_BEHIND * PAGE_BYTES;
/** What lies between frees and is nothing that a program does with its memory. */
export const PASSING: ReadonlySet<number> = new Set([
  OP_CLOCK,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_JOIN,
  OP_SKIPPED,
  OP_EXIT,
]);

/** Frees of most of what lives, with no call between but a few whose block is freed at once, and no pause. */
export interface FinalFrees {
  /** Of the first one. */
  readonly row: number;
  /** Behind the last one. */
  readonly end: number;
  readonly frees: number;
  /** Allocations between them of what is freed at once. */
  readonly words: number;
  /** Threads that end between them. */
  readonly threadEnds: number;
  /** Calls of malloc's family between the last one and what follows: a last word that is printed takes a buffer. */
  readonly callsBehind: number;
  /** The time from the last one on. */
  readonly idleNs: Ns;
}

/**
 * The most that are freed at once right before row `end`, where no more than a moment lies behind: of blocks that are most of what lives, or
 * more than last words where `ofFew`.
 */
export function finalFrees(events: EventBuffer, end: number, ofFew = false): FinalFrees | undefined {
  const { head, labels, a } = events;
  const isGiven = handedOver(events);
  let found: FinalFrees | undefined;
  let live = liveAt(events, end); // at the row that is looked at, going back
  let calls = 0;
  let idleNs = 0;
  for (let row = end; row > 0 && idleNs <= LOOKED_BACK_NS && calls <= CALLS_BEHIND; ) {
    const op = head[row - 1]! & OP_MASK;
    const run = isFree(op) ? freesBefore(events, row, live, isGiven) : undefined;
    if (run && run.frees > 0) {
      const { frees, words, threadEnds } = run;
      live += frees;
      const isEnough = isMost(frees, live) || (ofFew && calls === 0 && frees > CALLS_BEHIND);
      if (isEnough && frees > (found?.frees ?? 0)) {
        found = {
          row: run.row,
          end: run.end,
          frees,
          words,
          threadEnds,
          callsBehind: calls,
          idleNs: idleNs + run.idleNs,
        };
      }
      calls += frees + 2 * words;
      idleNs += run.ns;
      row = run.row;
      continue;
    }
    if (run) live++;
    if (op === OP_CLOCK) idleNs += nsOf(events, row - 1);
    else if (run) calls++;
    else if (isAllocating(op)) {
      calls++;
      if (op !== OP_REALLOC && op !== OP_EREALLOC) live--;
    } else if (op === OP_SAMPLE ? !isRecorders(labels[a[row - 1]!]!) : !PASSING.has(op)) break;
    row--;
  }
  return found;
}

const isMost = (frees: number, live: number): boolean => frees >= TORN_DOWN * live;

export const isFree = (op: number): boolean => op === OP_FREE || op === OP_EFREE;

/** What `freesBefore` finds; `idleNs` from the last free on, `ns` from the first one on. */
type Run = Omit<FinalFrees, 'callsBehind'> & { readonly ns: Ns };

const NONE: Run = { row: 0, end: 0, frees: 0, words: 0, threadEnds: 0, idleNs: 0, ns: 0 };

/**
 * The frees that end before row `end`, without a pause: of what threads were given no more than last words. Few blocks that are freed soon may
 * be taken meanwhile (Python's main() returns, and what it held is dying), as long as it is not most of what lives: before such a word they
 * are what the program did last. `live` behind them.
 */
function freesBefore(events: EventBuffer, end: number, live: number, isGiven: (row: number) => boolean): Run {
  const { head, labels, slot, a } = events;
  let [frees, words, asked, given, threadEnds, ns, pauseNs] = [0, 0, 0, 0, 0, 0, 0];
  const freedNs = new Map<number, Ns>(); // by slot, of what was allocated further back
  // As of the first free so far. There are as many as blocks, so no object is made for each.
  const run = { ...NONE };
  for (let row = end - 1; row >= 0; row--) {
    const op = head[row]! & OP_MASK;
    if (op === OP_CLOCK) {
      ns += nsOf(events, row);
      pauseNs += nsOf(events, row);
      if (pauseNs > STOPPED_NS) break;
      continue;
    }
    pauseNs = 0;
    if (isFree(op)) {
      if (isGiven(row) && ++given > CALLS_BEHIND + threadEnds) return NONE; // what others gave it is worked off
      freedNs.set(slot[row]!, ns);
      frees++;
      if (run.end === 0) {
        run.end = row + 1;
        run.idleNs = ns;
      }
      run.row = row;
      run.frees = frees - words;
      run.words = words;
      run.threadEnds = threadEnds;
      run.ns = ns;
    } else if (op === OP_MALLOC || op === OP_CALLOC) {
      if (run.frees > CALLS_BEHIND && isMost(run.frees, live + run.frees)) break;
      const freed = freedNs.get(slot[row]!);
      asked += askedBytes(events, row);
      if (freed === undefined || ns - freed > IDLE_NS || ++words > CALLS_BEHIND || asked > WORK_BYTES) break;
      freedNs.delete(slot[row]!);
      if (frees === words) Object.assign(run, NONE); // nothing but words so far
    } else if (op === OP_THREAD_EXIT) threadEnds++;
    else if (op === OP_SAMPLE ? !isRecorders(labels[a[row]!]!) : !PASSING.has(op)) break;
  }
  return run;
}

/** Labels of the recorder's own: the exit, the end, and points spread over the events. */
export const isRecorders = (label: string): boolean =>
  label === 'end' || label === 'exit' || TEARDOWNS.has(label) || /^s\d+$/.test(label);

function liveAt({ head, slot, objectSlots }: EventBuffer, end: number): number {
  const mask = OP_MASK; // an imported constant is loaded and checked at every use
  const [allocates, frees] = [1, 2];
  const kinds = Uint8Array.from({ length: mask + 1 }, (_, op) =>
    isAllocating(op) ? allocates : isFree(op) ? frees : 0,
  );
  const isLive = new Uint8Array(objectSlots);
  let live = 0;
  const look = (from: number, to: number) => {
    for (let row = from; row < to; row++) {
      const kind = kinds[head[row]! & mask]!;
      if (kind === 0) continue;
      const now = kind & allocates;
      live += now - isLive[slot[row]!]!;
      isLive[slot[row]!] = now;
    }
  };
  inPieces(end, look);
  return live;
}

/** The row up to which the program lives, where it goes down to row `end`: before the frees that come right before that, however few. */
export function lifeEnd(events: EventBuffer, end: number): number {
  const { row, frees, idleNs } = freesBefore(events, end, liveAt(events, end), handedOver(events));
  const behindNs = end === events.exitRow ? Math.min(idleNs, idleAtExit(events)) : idleNs;
  return frees > 0 && behindNs <= IDLE_NS ? row : end;
}

export const isRecorded = (source: string): boolean => source.startsWith('recorded');
