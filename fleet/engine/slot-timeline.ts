import { createHash } from 'node:crypto';
import type { Pages } from '../../sim/contract/units.ts';
import { type Layout, residentPagesOf } from './layout.ts';
import type { Memo, Place } from './memo.ts';
import { PROFILE_STEPS, type WorkerHeap } from './worker-heap.ts';

/** What a slot of a pool has to do: plain data, so that it can go to another thread. */
export interface SlotTask {
  readonly startUs: Float64Array;
  readonly endUs: Float64Array;
  /** Number of each request among those that can be played. */
  readonly request: Uint32Array;
  /** Processes: born, ended, and their requests from `first` to before `last`. */
  readonly lives: readonly {
    readonly bornUs: number;
    readonly endUs: number;
    readonly first: number;
    readonly last: number;
  }[];
}

/** The memory of the heaps of one slot over the whole time. */
export interface SlotTimeline {
  /** Behind each request, and the most within it: resident pages. */
  readonly residentPages: Uint32Array;
  readonly peakPages: Uint32Array;
  readonly faults: Uint32Array;
  /** What the calls of the allocator cost in each, in microseconds, without waiting for locks. */
  readonly allocatorUs: Float32Array;
  /** Requests behind which the process was replaced for its size. */
  readonly recycled: number[];
  /** At each sample: number of the heap's layout among the shard's, -1 without a process. */
  readonly layout: Int32Array;
  /** … and the pages beyond it that a request in the middle has. */
  readonly withinPages: Uint32Array;
  /** Number of processes that have been in the slot up to each sample. */
  readonly generation: Uint32Array;
  /** Requests that the process at each sample has begun. */
  readonly served: Uint32Array;
}

/** Nothing has happened yet. */
export function emptyTimeline(requests: number, samples: number): SlotTimeline {
  return {
    residentPages: new Uint32Array(requests),
    peakPages: new Uint32Array(requests),
    faults: new Uint32Array(requests),
    allocatorUs: new Float32Array(requests),
    recycled: [],
    layout: new Int32Array(samples).fill(-1),
    withinPages: new Uint32Array(samples),
    generation: new Uint32Array(samples),
    served: new Uint32Array(samples),
  };
}

/** Layouts without repetition, behind those that there are already. */
export class LayoutTable {
  readonly layouts: Layout[];
  private readonly numbers = new Map<string, number>();
  private readonly seen = new WeakMap<Layout, number>();

  constructor(known: readonly Layout[] = []) {
    this.layouts = [...known];
  }

  number(layout: Layout): number {
    const own = this.seen.get(layout);
    if (own !== undefined) return own;
    const key = createHash('sha256').update(layout).digest('base64');
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.layouts.push(layout) - 1;
      this.numbers.set(key, number);
    }
    this.seen.set(layout, number);
    return number;
  }
}

export interface SlotOptions {
  readonly heap: WorkerHeap;
  readonly memo: Memo;
  readonly layouts: LayoutTable;
  readonly samplesUs: Float64Array;
  /** A process with more resident pages behind a request is replaced; Infinity for none. */
  readonly recyclePages: Pages;
  /** Called with the last process as it is at the end. */
  readonly atEnd: (place: Place) => void;
  /** What has happened in the slot before, and the first sample and number of processes from which it goes on. */
  readonly before?: { readonly timeline: SlotTimeline; readonly sample: number; readonly generation: number };
}

/** How far a slot has come, while no request is in progress. */
export interface SlotProgress {
  place: Place;
  /** Samples that are filled. */
  samples: number;
}

/** Requests that are taken from memory at a stretch. */
const STRETCH = 4096;

/** Plays everything that one slot does, in steps: after each no request is in progress. */
export function* playSlot(task: SlotTask, options: SlotOptions): Generator<SlotProgress, SlotTimeline> {
  const { memo, recyclePages, samplesUs, before } = options;
  const timeline = before?.timeline ?? emptyTimeline(task.request.length, samplesUs.length);
  const { residentPages, peakPages, faults, allocatorUs, recycled } = timeline;
  const sampler = new Sampler(options, timeline, before?.sample ?? 0);
  let generation = before?.generation ?? 0;
  const progress: SlotProgress = { place: memo.fresh(), samples: 0 };
  for (const life of task.lives) {
    let place = memo.fresh();
    progress.place = place;
    let served = 0;
    generation++;
    sampler.vacantUntil(life.bornUs);
    for (let i = life.first; i < life.last; i++) {
      const startUs = task.startUs[i]!;
      sampler.restingUntil(startUs, place, generation, served);
      served++;
      // Where time decides nothing the clock stays where it is.
      if (!memo.compares) options.heap.passTimeTo(startUs * 1e3);
      const hasSamples = sampler.nextUs < task.endUs[i]!;
      const layout = hasSamples ? memo.layoutAt(place) : undefined;
      const play = memo.serve(place, task.request[i]!);
      residentPages[i] = play.residentPages;
      peakPages[i] = play.peakPages;
      faults[i] = play.faults;
      allocatorUs[i] = play.costNs / 1e3;
      if (layout) sampler.within(layout, play.profile, startUs, task.endUs[i]!, generation, served);
      if (play.residentPages > recyclePages && i + 1 < life.last) {
        recycled.push(i);
        place = memo.fresh();
        progress.place = place;
        served = 0;
        generation++;
      }
      if (memo.lastWasPlayed || i % STRETCH === 0) {
        progress.samples = sampler.filled;
        yield progress;
      }
    }
    sampler.restingUntil(life.endUs, place, generation, served);
  }
  sampler.vacantUntil(samplesUs.at(-1)! + 1);
  options.atEnd(progress.place);
  return timeline;
}

/** Fills the columns of a timeline as time passes. */
class Sampler {
  private readonly columns: SlotTimeline;
  private readonly options: SlotOptions;
  private at: number;

  constructor(options: SlotOptions, columns: SlotTimeline, first: number) {
    this.options = options;
    this.columns = columns;
    this.at = first;
  }

  get filled(): number {
    return this.at;
  }

  get nextUs(): number {
    return this.options.samplesUs[this.at] ?? Infinity;
  }

  vacantUntil(us: number): void {
    while (this.nextUs < us) this.at++;
  }

  restingUntil(us: number, place: Place, generation: number, served: number): void {
    const { heap, memo, layouts } = this.options;
    for (; this.nextUs < us; this.at++) {
      if (!memo.compares) heap.passTimeTo(this.nextUs * 1e3);
      this.columns.layout[this.at] = layouts.number(memo.layoutAt(place));
      this.columns.generation[this.at] = generation;
      this.columns.served[this.at] = served;
    }
  }

  /** Samples in the middle of a request: the heap as it was before, and what the request has taken since. */
  within(
    before: Layout,
    profile: Uint32Array,
    startUs: number,
    endUs: number,
    generation: number,
    served: number,
  ): void {
    const base = residentPagesOf(before);
    for (; this.nextUs < endUs; this.at++) {
      const step = Math.floor(((this.nextUs - startUs) / (endUs - startUs)) * PROFILE_STEPS);
      this.columns.layout[this.at] = this.options.layouts.number(before);
      this.columns.withinPages[this.at] = step > 0 ? Math.max(0, profile[step - 1]! - base) : 0;
      this.columns.generation[this.at] = generation;
      this.columns.served[this.at] = served;
    }
  }
}
