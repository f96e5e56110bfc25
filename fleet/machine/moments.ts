import { BREATH_STEPS } from '../../workloads/breathing.ts';
import { forEachHeapBefore } from '../pool/heap-before.ts';
import type { PoolRun } from '../pool/pool-run.ts';

/** A request that is running, with what it needs beyond what its worker had before. */
export interface Running {
  readonly pool: number;
  readonly slot: number;
  readonly pages: number;
  /** Of its heap in all. */
  readonly peakPages: number;
  readonly startUs: number;
}

/** When, between two samples, running requests need most at once. */
export interface Moment {
  readonly atUs: number;
  readonly pages: number;
  /** By pool. */
  readonly poolPages: readonly number[];
  readonly running: readonly Running[];
}

/**
 * For each sample, the moment since the one before at which requests in progress have most memory at once: each is counted with its peak for
 * as long as it runs. In steps, so that whoever waits may breathe: there are millions of requests.
 */
export function* highestMoments(
  pools: readonly PoolRun[],
  samplesUs: Float64Array,
): Generator<void, (Moment | undefined)[]> {
  const { starts, ends, poolOf, slotOf, pagesOf, peaksOf } = yield* growingRequests(pools);
  const byStart = yield* orderOf(starts);
  const byEnd = yield* orderOf(ends);
  const found = new Array<Moment | undefined>(samplesUs.length).fill(undefined);
  const running = new Set<number>();
  let sum = 0;
  let s = 0;
  let e = 0;
  for (let sample = 0; sample < samplesUs.length; sample++) {
    yield;
    let most = 0;
    const note = (atUs: number) => {
      if (sum <= most) return;
      most = sum;
      const list = [...running].map((i) => ({
        pool: poolOf[i]!,
        slot: slotOf[i]!,
        pages: pagesOf[i]!,
        peakPages: peaksOf[i]!,
        startUs: starts[i]!,
      }));
      found[sample] = momentOf(atUs, list, pools.length);
    };
    if (sample > 0) note(samplesUs[sample - 1]!);
    for (;;) {
      const startUs = starts[byStart[s]!] ?? Infinity;
      const endUs = ends[byEnd[e]!] ?? Infinity;
      const nowUs = Math.min(startUs, endUs);
      if (nowUs > samplesUs[sample]!) break;
      if (endUs <= startUs) {
        const i = byEnd[e++]!;
        running.delete(i);
        sum -= pagesOf[i]!;
      } else {
        const i = byStart[s++]!;
        running.add(i);
        sum += pagesOf[i]!;
        note(nowUs);
      }
    }
  }
  return found;
}

function momentOf(atUs: number, running: readonly Running[], pools: number): Moment {
  const poolPages = new Array<number>(pools).fill(0);
  for (const { pool, pages } of running) poolPages[pool]! += pages;
  return { atUs, pages: poolPages.reduce((sum, own) => sum + own, 0), poolPages, running };
}

/** The same without requests that are not to be counted: they ended with a process that was killed. */
export function withoutSome(moment: Moment, isGone: (one: Running) => boolean): Moment {
  const { atUs, poolPages, running } = moment;
  return running.some(isGone)
    ? momentOf(
        atUs,
        running.filter((one) => !isGone(one)),
        poolPages.length,
      )
    : moment;
}

const DIGIT_BITS = 12;
/** Every request that needs more than its worker had, in columns. */
function* growingRequests(pools: readonly PoolRun[]) {
  const all = pools.reduce((sum, { tasks }) => sum + tasks.reduce((own, { request }) => own + request.length, 0), 0);
  const starts = new Float64Array(all);
  const ends = new Float64Array(all);
  const poolOf = new Uint16Array(all);
  const slotOf = new Uint16Array(all);
  const pagesOf = new Uint32Array(all);
  const peaksOf = new Uint32Array(all);
  let count = 0;
  for (const [p, pool] of pools.entries()) {
    for (const [slot, task] of pool.tasks.entries()) {
      yield;
      const { peakPages } = pool.timelines[slot]!;
      forEachHeapBefore(pool, slot, (i, before) => {
        const pages = peakPages[i]! - Math.min(peakPages[i]!, before);
        if (pages === 0) return;
        starts[count] = task.startUs[i]!;
        ends[count] = task.endUs[i]!;
        poolOf[count] = p;
        slotOf[count] = slot;
        peaksOf[count] = peakPages[i]!;
        pagesOf[count++] = pages;
      });
    }
  }
  return { starts: starts.subarray(0, count), ends: ends.subarray(0, count), poolOf, slotOf, pagesOf, peaksOf };
}

/** Times in microseconds have 48 bits: nine years. */
const HALF = 2 ** 24;

/** Indices by rising value, of whole numbers; equal ones in their order. By digits, the lowest first: a comparing sort takes seconds. */
function* orderOf(values: Float64Array): Generator<void, Uint32Array> {
  const count = values.length;
  const [low, high, identity] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    if (i % BREATH_STEPS === 0) yield;
    high[i] = Math.floor(values[i]! / HALF);
    low[i] = values[i]! - high[i]! * HALF;
    identity[i] = i;
  }
  let [from, to] = [identity, new Uint32Array(count)];
  for (const [half, shift] of [
    [low, 0],
    [low, DIGIT_BITS],
    [high, 0],
    [high, DIGIT_BITS],
  ] as const) {
    const next = new Uint32Array(2 ** DIGIT_BITS + 1);
    const mask = 2 ** DIGIT_BITS - 1;
    for (let i = 0; i < half.length; i++) next[((half[i]! >>> shift) & mask) + 1]!++;
    for (let i = 1; i < next.length; i++) next[i]! += next[i - 1]!;
    for (let i = 0; i < count; i++) {
      if (i % BREATH_STEPS === 0) yield;
      const index = from[i]!;
      to[next[(half[index]! >>> shift) & mask]!++] = index;
    }
    [from, to] = [to, from];
  }
  return from;
}
