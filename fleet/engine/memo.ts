import { AVERAGES_REGION } from '../../allocators/zend/deciding-state.ts';
import type { HeapImage } from './heap-image.ts';
import type { Layout } from './layout.ts';
import type { RequestEvents } from './request-events.ts';
import { Transitions } from './transitions.ts';
import type { AfterRequest, Play, WorkerHeap } from './worker-heap.ts';

// What a request does to a heap depends on the heap's state and on the request alone, so it need not be played again where both are known.

/** Images beyond this are not kept: a state without one is played anew from the nearest that has one. */
const IMAGE_BUDGET_BYTES = 384 * 2 ** 20;
/** A heap that has met nothing again in so many requests is played without looking. */
const PATIENCE = 1024;
const LEAST_HITS = 16;
/** While little is met again, an image is taken of each so-manieth state only. */
const IMAGE_EVERY = 8;

interface State {
  readonly layout: Layout;
  readonly image: HeapImage | undefined;
  /** How it was first come to. */
  readonly before: { readonly state: number; readonly request: number; readonly average: number } | undefined;
}

interface Known {
  readonly state: number;
  readonly play: Play;
}

/** A heap in play, at a state that has a number where its state is known. */
export interface Place {
  /** -1: not known. */
  state: number;
  average: number;
}

export interface MemoCounts {
  readonly played: number;
  readonly met: number;
  readonly states: number;
  /** Calls that failed in what was played. */
  readonly failures: number;
}

/** Plays requests on heaps that all begin alike, and remembers. */
export class Memo {
  private readonly heap: WorkerHeap;
  private readonly requests: readonly RequestEvents[];
  private readonly isOn: boolean;
  private readonly after: AfterRequest;
  private readonly keepsLive: boolean;
  private readonly states: State[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly known: Transitions<Known>;
  private readonly averages: Float64Array | undefined;
  private readonly start: HeapImage;
  private readonly startAverage: number;
  private imageBytes = 0;
  /** What the heap holds now; -1: nothing with a number. */
  private current = -1;
  private played = 0;
  private met = 0;
  private failures = 0;
  private hasGivenUp = false;
  private wasPlayed = false;

  constructor(
    heap: WorkerHeap,
    requests: readonly RequestEvents[],
    options: { readonly isOn: boolean; readonly after: AfterRequest },
  ) {
    this.heap = heap;
    this.requests = requests;
    this.after = options.after;
    this.keepsLive = options.after !== 'malloc_trim' && requests.every(({ isOfItsOwn }) => isOfItsOwn);
    const buffer = heap.memory.buffers()[AVERAGES_REGION];
    this.averages = buffer && new Float64Array(buffer);
    this.known = new Transitions(this.averages !== undefined);
    // A thread-safe PHP has a heap, and an average, a thread; a request with several ends moves the average several times.
    const isSimple =
      (this.averages === undefined ||
        this.averages.length === 1 ||
        this.averages.subarray(1).every((value) => value === 0)) &&
      requests.every(({ requestEnds }) => requestEnds <= 1);
    this.start = heap.image();
    this.startAverage = this.averages?.[0] ?? 0;
    const digest = heap.digest(this.start.layout, this.keepsLive);
    this.isOn = options.isOn && isSimple && digest !== undefined;
    if (this.isOn) this.current = this.number(digest!, undefined, this.start);
  }

  /** Whether states are compared at all. */
  get compares(): boolean {
    return this.isOn;
  }

  /** Whether so little was met again that nothing is looked for any more. */
  get gaveUp(): boolean {
    return this.hasGivenUp;
  }

  /** Of the last request: whether it was played. */
  get lastWasPlayed(): boolean {
    return this.wasPlayed;
  }

  counts(): MemoCounts {
    return { played: this.played, met: this.met, states: this.states.length, failures: this.failures };
  }

  /** A worker as it is forked. */
  fresh(): Place {
    if (!this.isOn) {
      if (this.played > 0) this.heap.restore(this.start);
      return { state: -1, average: this.startAverage };
    }
    return { state: 0, average: this.startAverage };
  }

  /** The next request of the worker at `place`. */
  serve(place: Place, request: number): Play {
    const found = place.state < 0 || this.hasGivenUp ? undefined : this.lookUp(place, request);
    this.wasPlayed = found === undefined;
    if (found !== undefined) {
      this.met++;
      return found;
    }
    return this.playNew(place, request);
  }

  layoutAt(place: Place): Layout {
    return place.state >= 0 ? this.states[place.state]!.layout : this.heap.layout();
  }

  /** Makes the heap hold what the worker at `place` has. */
  bringTo(place: Place): void {
    if (place.state >= 0 && place.state !== this.current) this.restore(place.state);
    if (this.averages) this.averages[0] = place.average;
  }

  /** What it takes to go on from `place` later, when the heap has held others; undefined where the place says all. */
  imageAt(place: Place): HeapImage | undefined {
    return place.state < 0 ? this.heap.image() : undefined;
  }

  /** Makes the heap hold what it was in an image. */
  putBack(image: HeapImage): void {
    this.heap.restore(image);
    this.current = -1;
  }

  private lookUp(place: Place, request: number): Play | undefined {
    const found = this.known.lookUp(place.state, this.numberOf(request), place.average);
    if (!found) return undefined;
    place.state = found.known.state;
    place.average = found.average;
    return found.known.play;
  }

  private readonly numberOf = (request: number) => ({ request, requestEnds: this.requests[request]!.requestEnds });

  private playNew(place: Place, request: number): Play {
    const from = place.state;
    const averageBefore = place.average;
    this.bringTo(place);
    const play = this.perform(request);
    this.played++;
    this.failures += play.failures;
    place.average = this.averages?.[0] ?? 0;
    if (!this.hasGivenUp && this.isOn && this.played >= PATIENCE && this.met < LEAST_HITS) this.hasGivenUp = true;
    if (from < 0 || this.hasGivenUp) {
      this.current = -1;
      place.state = -1;
      return play;
    }
    const layout = this.heap.layout();
    const digest = this.heap.digest(layout, this.keepsLive);
    if (digest === undefined) {
      this.current = -1;
      place.state = -1;
      return play;
    }
    const state = this.number(digest, { state: from, request, average: averageBefore });
    this.known.remember(from, this.numberOf(request), averageBefore, place.average, { state, play });
    this.current = state;
    place.state = state;
    return play;
  }

  private perform(request: number): Play {
    return this.heap.play(this.requests[request]!, this.after);
  }

  private number(digest: string, before: State['before'], image?: HeapImage): number {
    const found = this.numbers.get(digest);
    if (found !== undefined) return found;
    const isWorthIt = this.met >= this.played || this.states.length % IMAGE_EVERY === 0;
    const kept = image ?? (isWorthIt && this.imageBytes < IMAGE_BUDGET_BYTES ? this.heap.image() : undefined);
    this.imageBytes += kept?.sizeBytes ?? 0;
    const number = this.states.push({ layout: kept?.layout ?? this.heap.layout(), image: kept, before }) - 1;
    this.numbers.set(digest, number);
    return number;
  }

  private restore(state: number): void {
    const path: number[] = [];
    let at = state;
    while (this.states[at]!.image === undefined && at !== this.current) {
      path.push(at);
      at = this.states[at]!.before!.state;
    }
    if (at !== this.current) this.heap.restore(this.states[at]!.image!);
    for (const next of path.reverse()) {
      const { request, average } = this.states[next]!.before!;
      if (this.averages) this.averages[0] = average;
      this.perform(request);
    }
    this.current = state;
  }
}
