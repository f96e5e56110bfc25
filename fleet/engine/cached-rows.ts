import { createHash } from 'node:crypto';
import type { ThreadCaches, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as columns from '../../sim/contract/event.ts';
import { OP_SLOW_CALLS } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Lockstep } from '../../sim/replay/lockstep.ts';
import type { RequestEvents } from './request-events.ts';

// Threads whose calls in a request are served by their own caches alone change nothing else, however they take turns:
//
//   rows      1m 3m 1m 0m 3f 2m 1f 2f …
//   thread 1  state A ── its rows ──► differences of its words   known: its rows are left out, the differences added
//   thread 2  state B ── its rows ──► something came from the arena: replayed, as always
//
// What decides is in the state: how full each stack is, when the collector looks next, which pages of the cached blocks are resident.

/** Requests with fewer such rows, or a smaller share of them, are not worth it. */
const LEAST_ROWS = 4096;
const LEAST_SHARE = 0.5;
/** Where so many threads' rows were noted and a smaller share was known, nothing is looked for any more. */
const PATIENCE = 4096;
const LEAST_KNOWN = 0.25;

/** What a thread's rows come to. */
interface Known {
  readonly differences: Int32Array;
  readonly slowCalls: number;
}

/** The threads of a request that allocate and free for themselves alone. */
interface Team {
  /** Of each thread slot: what its rows are, in a digest; nothing for others. */
  readonly signatures: readonly (string | undefined)[];
  /** What each asks for at most. */
  readonly largest: Float64Array;
  readonly size: number;
  /** Of each row: 1 where it is one of those. */
  readonly isOwn: Uint8Array;
  /** Rows that are not: the first of a piece, and the one behind its last, … */
  readonly others: Int32Array;
}

interface Noting {
  readonly thread: ThreadSlot;
  readonly key: string;
  readonly words: Int32Array;
  readonly blocks: Int32Array;
}

/** Leaves out rows that thread caches serve as they have before. */
export class CachedRows {
  private readonly caches: ThreadCaches;
  private readonly operations: Float64Array;
  private readonly teams = new WeakMap<RequestEvents, Team | null>();
  private readonly known = new Map<string, Known>();
  private noted = 0;
  private met = 0;
  private isOn = true;
  private team: Team | undefined;
  private run: Lockstep['run'] = () => {};
  private head: Uint32Array | Int32Array = new Int32Array(0);
  /** Of each thread slot in the running request: 0 replayed, 1 left out, 2 noted. */
  private ways = new Uint8Array(0);
  private slowCalls = new Float64Array(0);
  private piece = 0;
  private found: { thread: ThreadSlot; known: Known }[] = [];
  private noting: Noting[] = [];

  constructor(caches: ThreadCaches, operations: Float64Array) {
    this.caches = caches;
    this.operations = operations;
  }

  /** Threads whose rows in a request were left out. */
  get metCount(): number {
    return this.met;
  }

  /** `run`: what replays rows. @returns what to replay them with; `finish` is called behind the last. */
  begin(request: RequestEvents, run: Lockstep['run']): Lockstep['run'] {
    this.team = undefined;
    const team = this.isOn && this.teamOf(request);
    if (!team) return run;
    this.found = [];
    this.noting = [];
    this.ways = new Uint8Array(team.signatures.length);
    for (const [thread, signature] of team.signatures.entries()) {
      const state = signature === undefined ? undefined : this.stateOf(thread, team.largest[thread]!);
      if (state === undefined) continue;
      const key = `${signature} ${state}`;
      const known = this.known.get(key);
      this.ways[thread] = known ? 1 : 2;
      if (known) this.found.push({ thread, known });
      else
        this.noting.push({
          thread,
          key,
          words: this.caches.words(thread).slice(),
          blocks: this.caches.blocks(thread),
        });
    }
    if (this.found.length + this.noting.length === 0) return run;
    this.team = team;
    this.run = run;
    this.head = request.events.head;
    this.slowCalls = new Float64Array(team.signatures.length);
    this.piece = 0;
    return this.found.length === team.size ? this.runPieces : this.runOthers;
  }

  finish(): void {
    if (!this.team) return;
    for (const { thread, known } of this.found) {
      const words = this.caches.words(thread);
      for (let i = 0; i < words.length; i++) words[i]! += known.differences[i]!;
      this.operations[OP_SLOW_CALLS]! += known.slowCalls;
    }
    for (const one of this.noting) this.remember(one);
    this.met += this.found.length;
    this.noted += this.noting.length;
    if (this.noted >= PATIENCE && this.met < LEAST_KNOWN * this.noted) this.isOn = false;
  }

  private readonly runOthers = (from: number, to: number): void => {
    const { head, operations, run, slowCalls, ways } = this;
    const { isOwn } = this.team!;
    let start = from; // of rows that are to be replayed
    for (let row = from; row < to; row++) {
      if (isOwn[row] === 0) continue;
      const thread = head[row]! >>> columns.OP_BITS;
      const way = ways[thread]!;
      if (way === 0) continue;
      if (start < row) run(start, row);
      start = row + 1;
      if (way === 1) continue;
      const before = operations[OP_SLOW_CALLS]!;
      run(row, row + 1);
      slowCalls[thread]! += operations[OP_SLOW_CALLS]! - before;
    }
    if (start < to) run(start, to);
  };

  /** All of the team's rows are left out. */
  private readonly runPieces = (from: number, to: number): void => {
    const { others } = this.team!;
    for (; this.piece < others.length; this.piece += 2) {
      const start = Math.max(from, others[this.piece]!);
      if (start >= to) return;
      const end = Math.min(to, others[this.piece + 1]!);
      if (start < end) this.run(start, end);
      if (others[this.piece + 1]! > to) return;
    }
  };

  /** Only where the cache has served all of it, and holds the same blocks in the same order. */
  private remember({ thread, key, words, blocks }: Noting): void {
    if (this.caches.hasLeft(thread, words)) return;
    const now = this.caches.blocks(thread);
    if (now.length !== blocks.length || now.some((block, i) => block !== blocks[i])) return;
    const after = this.caches.words(thread);
    const differences = words.map((word, i) => after[i]! - word);
    this.known.set(key, { differences, slowCalls: this.slowCalls[thread]! });
  }

  private stateOf(thread: ThreadSlot, largest: Bytes): string | undefined {
    const words: number[] = [];
    if (!this.caches.decidingState(thread, largest, (word) => words.push(word))) return undefined;
    return createHash('sha256').update(Int32Array.from(words)).digest('base64');
  }

  private teamOf(request: RequestEvents): Team | undefined {
    let team = this.teams.get(request);
    if (team === undefined) {
      team = findTeam(request) ?? null;
      this.teams.set(request, team);
    }
    return team ?? undefined;
  }
}

/** Events that are nobody's calls: what an allocator does by time alone touches no thread's cache. */
const HARMLESS = new Set([columns.OP_CLOCK, columns.OP_SAMPLE, columns.OP_THREAD_BEGIN]);
/** Events of one thread that may go beyond its cache. */
const DISQUALIFYING = new Set([
  columns.OP_CALLOC,
  columns.OP_REALLOC,
  columns.OP_MEMALIGN,
  columns.OP_EMALLOC,
  columns.OP_EFREE,
  columns.OP_ECALLOC,
  columns.OP_EREALLOC,
]);
/** … and that are about no block. */
const DISQUALIFYING_BLOCKLESS = new Set([columns.OP_REQUEST_BEGIN, columns.OP_REQUEST_END, columns.OP_THREAD_EXIT]);

/** Threads whose calls are malloc and free of blocks that nobody else uses, all freed in the end. */
function findTeam({ events, from, to, isPart }: RequestEvents): Team | undefined {
  if (isPart || to - from < LEAST_ROWS) return undefined;
  const { head, slot, a } = events;
  const owners = new Int32Array(events.objectSlots); // thread + 1
  const places = new Int32Array(events.objectSlots);
  const calls = Array.from({ length: events.threadSlots }, (): number[] => []);
  const blocks = new Int32Array(events.threadSlots);
  const isOut = new Uint8Array(events.threadSlots);
  const largest = new Float64Array(events.threadSlots);
  for (let row = from; row < to; row++) {
    const op = head[row]! & columns.OP_OR_MARK;
    const thread = head[row]! >>> columns.OP_BITS;
    const s = slot[row]!;
    if (op === columns.OP_MALLOC) {
      if (owners[s] !== 0) isOut[owners[s]! - 1] = 1;
      owners[s] = thread + 1;
      places[s] = blocks[thread]!++;
      calls[thread]!.push(op, a[row]!);
      largest[thread] = Math.max(largest[thread]!, a[row]!);
    } else if (op === columns.OP_FREE) {
      if (owners[s] !== thread + 1) isOut[thread] = 1;
      if (owners[s] !== 0 && owners[s] !== thread + 1) isOut[owners[s]! - 1] = 1;
      owners[s] = 0;
      calls[thread]!.push(op, places[s]!);
    } else if (op === columns.OP_WRITE) {
      if (owners[s] !== 0) isOut[owners[s]! - 1] = 1;
    } else if (DISQUALIFYING.has(op)) {
      isOut[thread] = 1;
      if (owners[s] !== 0) isOut[owners[s]! - 1] = 1;
    } else if (DISQUALIFYING_BLOCKLESS.has(op)) {
      isOut[thread] = 1;
    } else if (!HARMLESS.has(op)) return undefined;
  }
  for (const owner of owners) if (owner !== 0) isOut[owner - 1] = 1;
  const signatures = calls.map((list, thread) =>
    isOut[thread] === 1 || list.length === 0
      ? undefined
      : createHash('sha256').update(Int32Array.from(list)).digest('base64'),
  );
  return teamOf({ head, from, to }, signatures, largest);
}

function teamOf(
  { head, from, to }: { readonly head: RequestEvents['events']['head']; readonly from: number; readonly to: number },
  signatures: readonly (string | undefined)[],
  largest: Float64Array,
): Team | undefined {
  const isOwn = new Uint8Array(to);
  const others: number[] = [];
  let count = 0;
  for (let row = from; row < to; row++) {
    const op = head[row]! & columns.OP_OR_MARK;
    const isCall = op === columns.OP_MALLOC || op === columns.OP_FREE;
    if (isCall && signatures[head[row]! >>> columns.OP_BITS] !== undefined) {
      isOwn[row] = 1;
      count++;
    } else if (others.at(-1) === row) others[others.length - 1] = row + 1;
    else others.push(row, row + 1);
  }
  if (count < LEAST_SHARE * (to - from)) return undefined;
  const size = signatures.filter((signature) => signature !== undefined).length;
  return { signatures, largest, size, isOwn, others: Int32Array.from(others) };
}
