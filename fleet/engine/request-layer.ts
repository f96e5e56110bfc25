import { createHash } from 'node:crypto';
import type { RequestAllocator } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import * as columns from '../../sim/contract/event.ts';
import type { Memory, SharedBuffers } from '../../sim/contract/memory.ts';
import type { Lockstep } from '../../sim/replay/lockstep.ts';
import { putParts, type RegionParts, sizeOfParts, takeParts } from './heap-image.ts';
import type { RequestEvents } from './request-events.ts';
import { CALL_WORDS, type KernelCalls, type ToldKernel } from './told-kernel.ts';
import { Transitions } from './transitions.ts';

// Under an allocator for which time decides no whole heap is met again, but PHP's own part of it is: what that does depends on its state, on the
// request, and on the kernel's answers. So its calls of the kernel are made again, at the rows where it made them, without its own work:
//
//   rows      e e e e e │ m │ e e e e │ m m │ e e          as in the trace
//   replayed            │ m │         │ m m │              in the allocator below
//   made again  mmap,touch  │ munmap        │
//
// Where the kernel answers otherwise, the layer is put back, replayed up to there with the answers that it had, and goes on by itself.

const CHUNK_PAGES = 512;
const IMAGES_BYTES = 64 * 2 ** 20;
/** A layer that has met less than this share of so many requests is replayed without looking. */
const PATIENCE = 1024;
const LEAST_SHARE = 0.25;

interface Known {
  readonly state: number;
  readonly calls: KernelCalls;
  readonly operations: Float64Array;
  readonly failures: number;
}

/** How a request's rows fall to the layers: `ends[i]` is the end of piece i; even pieces are the layer's own, odd ones are not. */
type Pieces = Int32Array;

export interface RequestLayerOptions {
  readonly layer: RequestAllocator;
  readonly told: ToldKernel;
  readonly memory: Memory;
  /** Names of the layer's regions. */
  readonly regions: ReadonlySet<string>;
  readonly averages: Float64Array;
  /** Of the layer alone. */
  readonly operations: Float64Array;
  readonly pages: Uint8Array;
  /** Calls that failed so far in the running request. */
  readonly failures: { count: number };
}

/** The request allocator of a heap, which is replayed only where its state or what the kernel answers is new. */
export class RequestLayer {
  private readonly options: RequestLayerOptions;
  private readonly buffers: SharedBuffers;
  private readonly pieces = new WeakMap<RequestEvents, Pieces | null>();
  private readonly numbers = new Map<string, number>();
  private readonly requests = new Map<RequestEvents, number>();
  private readonly states: RegionParts[] = [];
  private readonly known = new Transitions<Known>(true);
  private imageBytes = 0;
  /** -1: not known. */
  private current = -1;
  /** Whether the regions hold what `current` says. */
  private isThere = true;
  private isOn = true;
  private played = 0;
  private met = 0;
  private request: RequestEvents | undefined;
  private lockstep: Lockstep | undefined;
  private found: { readonly known: Known; readonly average: number } | undefined;
  private isOwn = false; // whether the layer works itself in the running request
  private next = 0; // among the found calls
  private piece = 0;
  private average = 0;
  private ownFailures = 0;
  private operationsBefore = new Float64Array(0);

  constructor(options: RequestLayerOptions) {
    this.options = options;
    const all = options.memory.buffers();
    this.buffers = Object.fromEntries(Object.entries(all).filter(([name]) => options.regions.has(name)));
  }

  /** Requests of which the layer's part was not replayed. */
  get metCount(): number {
    return this.met;
  }

  /** Its regions hold its state from here on. */
  settle(): void {
    if (this.isThere) return;
    const average = this.options.averages[0]!;
    putParts(this.states[this.current]!, this.buffers, this.usedBytes);
    this.options.averages[0] = average;
    this.isThere = true;
  }

  /** The regions hold something else. */
  forget(): void {
    this.current = -1;
    this.isThere = true;
  }

  /** @returns what runs the request's rows; `finish` is called behind the last. */
  begin(request: RequestEvents, lockstep: Lockstep): Lockstep['run'] {
    this.request = undefined;
    const pieces = this.piecesOf(request);
    if (!this.isOn || pieces === null) {
      this.settle();
      this.current = -1;
      return lockstep.run;
    }
    if (asksNothing(request, pieces)) return lockstep.run;
    if (this.current < 0) this.current = this.numberNow();
    if (this.current < 0) return lockstep.run;
    this.request = request;
    this.lockstep = lockstep;
    this.piece = 0;
    this.next = 0;
    this.average = this.options.averages[0]!;
    this.found = this.known.lookUp(this.current, this.numberOf(request), this.average);
    this.isOwn = this.found === undefined;
    this.ownFailures = 0;
    this.operationsBefore = this.options.operations.slice();
    if (this.isOwn) {
      this.settle();
      this.options.told.note();
    }
    return this.run;
  }

  finish(): void {
    const { request } = this;
    if (!request) return;
    if (this.isOwn) this.finishOwn(request);
    else this.finishFound();
    if (this.played >= PATIENCE && this.met < LEAST_SHARE * this.played) this.isOn = false;
  }

  private readonly run = (from: number, to: number): void => {
    const ends = this.pieces.get(this.request!)!;
    for (let row = from; row < to; ) {
      while (ends[this.piece]! <= row) this.piece++;
      const end = Math.min(to, ends[this.piece]!);
      if ((this.piece & 1) === 1) this.lockstep!.run(row, end);
      else if (this.isOwn) this.runOwn(row, end);
      else this.makeCalls(row, end);
      row = end;
    }
  };

  private runOwn(from: number, to: number): void {
    const { failures, told } = this.options;
    const before = failures.count;
    told.atRow(from);
    this.lockstep!.run(from, to);
    this.ownFailures += failures.count - before;
  }

  private makeCalls(from: number, to: number): void {
    const { calls } = this.found!.known;
    for (; this.next < calls.length && calls[this.next]! < to; this.next += CALL_WORDS) {
      if (this.options.told.make(calls, this.next)) continue;
      this.takeOver(calls, from, to);
      return;
    }
  }

  /** The layer goes on by itself, behind a call that was answered otherwise than it knows. */
  private takeOver(calls: KernelCalls, from: number, to: number): void {
    const { told } = this.options;
    this.settle();
    this.isOwn = true;
    told.answer(calls, this.next);
    const ends = this.pieces.get(this.request!)!;
    let start = this.request!.from;
    for (let piece = 0; start < from; piece++) {
      const end = Math.min(from, ends[piece]!);
      if ((piece & 1) === 0) this.runOwn(start, end);
      start = end;
    }
    this.runOwn(from, to);
    assert(told.isNoting, 'the layer asks again for what was answered otherwise');
  }

  private finishOwn(request: RequestEvents): void {
    const { averages, operations, told } = this.options;
    const calls = told.pass();
    this.played++;
    const from = this.current;
    this.current = this.numberNow();
    if (this.current < 0) return;
    const spent = operations.map((count, i) => count - this.operationsBefore[i]!);
    const known = { state: this.current, calls, operations: spent, failures: this.ownFailures };
    this.known.remember(from, this.numberOf(request), this.average, averages[0]!, known);
  }

  private finishFound(): void {
    const { averages, operations, failures } = this.options;
    const { known, average } = this.found!;
    assert(this.next === known.calls.length, 'every call of the layer is made again');
    this.met++;
    averages[0] = average;
    for (let i = 0; i < operations.length; i++) operations[i]! += known.operations[i]!;
    failures.count += known.failures;
    this.current = known.state;
    this.isThere = false;
  }

  /** Of the state that the regions hold; -1 where the layer is not at rest, or there are too many. */
  private numberNow(): number {
    const { layer, pages } = this.options;
    const words: number[] = [];
    if (!layer.ownDecidingState!((word) => words.push(word))) return -1;
    const hash = createHash('sha256').update(Int32Array.from(words));
    // A thread, its chunks, -1, the next thread …
    for (let i = 0; i < words.length; i++) {
      const isThread = i === 0 || words[i - 1] === -1;
      if (isThread || words[i] === -1) continue;
      hash.update(pages.subarray(words[i]!, words[i]! + CHUNK_PAGES));
    }
    const digest = hash.digest('base64');
    const found = this.numbers.get(digest);
    if (found !== undefined) return found;
    if (this.imageBytes > IMAGES_BYTES) return -1;
    const parts = takeParts(this.buffers, this.usedBytes);
    this.imageBytes += sizeOfParts(parts);
    const number = this.states.push(parts) - 1;
    this.numbers.set(digest, number);
    return number;
  }

  private readonly usedBytes = (name: string) => this.options.memory.usedBytesOf(name);

  private numberOf(request: RequestEvents): { request: number; requestEnds: number } {
    let number = this.requests.get(request);
    if (number === undefined) {
      number = this.requests.size;
      this.requests.set(request, number);
    }
    return { request: number, requestEnds: request.requestEnds };
  }

  private piecesOf(request: RequestEvents): Pieces | null {
    let pieces = this.pieces.get(request);
    if (pieces === undefined) {
      pieces = cut(request) ?? null;
      this.pieces.set(request, pieces);
    }
    return pieces;
  }
}

const asksNothing = ({ from }: RequestEvents, pieces: Pieces) => pieces.length === 2 && pieces[0] === from;

const OTHERS = new Set([columns.OP_CLOCK, columns.OP_SAMPLE, columns.OP_THREAD_BEGIN]);

/** undefined where an event is not one layer's, or it cannot be told whose it is. */
function cut({ events, from, to, requestEnds, exits, isPart }: RequestEvents): Pieces | undefined {
  if (isPart || requestEnds > 1 || exits.length > 0) return undefined;
  const { head, slot } = events;
  const owner = new Map<number, boolean>();
  const ends: number[] = [];
  let isOwn = true;
  for (let row = from; row < to; row++) {
    const op = head[row]! & columns.OP_OR_MARK;
    let own: boolean;
    if (op >= columns.OP_EMALLOC && op <= columns.OP_EREALLOC) own = true;
    else if (op <= columns.OP_MEMALIGN) own = false;
    else if (op === columns.OP_REQUEST_BEGIN || op === columns.OP_REQUEST_END) own = true;
    else if (op === columns.OP_WRITE && owner.has(slot[row]!)) own = owner.get(slot[row]!)!;
    else if (OTHERS.has(op)) own = false;
    else return undefined;
    if (op <= columns.OP_EREALLOC && op !== columns.OP_WRITE) {
      const isFree = op === columns.OP_FREE || op === columns.OP_EFREE;
      if (owner.has(slot[row]!) && owner.get(slot[row]!) !== own) return undefined;
      if (isFree) owner.delete(slot[row]!);
      else owner.set(slot[row]!, own);
    }
    if (own && head[row]! >>> columns.OP_BITS !== 0) return undefined; // avg_chunks_count is the first thread's
    if (own !== isOwn) {
      ends.push(row);
      isOwn = own;
    }
  }
  ends.push(to);
  // Blocks of the layer end with the request.
  const isOthers = ends.length === 2 && ends[0] === from;
  return requestEnds === 1 || isOthers ? Int32Array.from(ends) : undefined;
}
