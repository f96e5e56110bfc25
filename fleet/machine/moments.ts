import type { PoolRun } from '../pool/pool-run.ts';

/** A request that is running, with what it needs beyond what its worker had before. */
export interface Running {
  readonly pool: number;
  readonly slot: number;
  readonly pages: number;
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
 * as long as it runs.
 */
export function highestMoments(pools: readonly PoolRun[], samplesUs: Float64Array): (Moment | undefined)[] {
  const starts: number[] = [];
  const ends: number[] = [];
  const poolOf: number[] = [];
  const slotOf: number[] = [];
  const pagesOf: number[] = [];
  pools.forEach((pool, p) => {
    pool.tasks.forEach((task, slot) => {
      const { peakPages, residentPages } = pool.timelines[slot]!;
      for (const life of task.lives) {
        for (let i = life.first; i < life.last; i++) {
          const before = i > life.first ? residentPages[i - 1]! : pool.startPages;
          const pages = peakPages[i]! - Math.min(peakPages[i]!, before);
          if (pages === 0) continue;
          starts.push(task.startUs[i]!);
          ends.push(task.endUs[i]!);
          poolOf.push(p);
          slotOf.push(slot);
          pagesOf.push(pages);
        }
      }
    });
  });
  const byStart = orderOf(starts);
  const byEnd = orderOf(ends);
  const found = new Array<Moment | undefined>(samplesUs.length).fill(undefined);
  const running = new Set<number>();
  let sum = 0;
  let s = 0;
  let e = 0;
  for (let sample = 0; sample < samplesUs.length; sample++) {
    let most = 0;
    const note = (atUs: number) => {
      if (sum <= most) return;
      most = sum;
      const list = [...running].map((i) => ({ pool: poolOf[i]!, slot: slotOf[i]!, pages: pagesOf[i]! }));
      const poolPages = pools.map((_, p) => list.reduce((total, one) => total + (one.pool === p ? one.pages : 0), 0));
      found[sample] = { atUs, pages: sum, poolPages, running: list };
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

function orderOf(values: readonly number[]): Uint32Array {
  return Uint32Array.from(values.keys()).sort((x, y) => values[x]! - values[y]! || x - y);
}
