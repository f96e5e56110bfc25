import { firstAfter, type PoolRun } from './pool-run.ts';

/** Requests of one name that are in progress at once. */
export interface InProgress {
  readonly pool: string;
  readonly request: string;
  readonly count: number;
  /** What they need beyond what their workers keep, each counted with its peak: together, and the largest of them. */
  readonly bytes: number;
  readonly mostBytes: number;
}

/** Index of the request that a slot serves at a time; undefined where it waits. */
function servedAt(pool: PoolRun, slot: number, us: number): number | undefined {
  const { startUs, endUs, lives } = pool.tasks[slot]!;
  const i = firstAfter(startUs, us) - 1;
  if (i < 0 || endUs[i]! <= us) return undefined;
  return lives.some(({ first, last, endUs: end }) => i >= first && i < last && end > us) ? i : undefined;
}

/** The scenario's name of the request that a slot serves at a time. */
export function requestAt(pool: PoolRun, slot: number, us: number, names: readonly string[]): string | undefined {
  const i = servedAt(pool, slot, us);
  return i === undefined ? undefined : names[pool.kinds[pool.tasks[slot]!.request[i]!] ?? -1];
}

/** What is in progress at a time and needs memory for that, the largest need first. */
export function inProgressAt(pools: readonly PoolRun[], us: number, names: readonly string[]): InProgress[] {
  const found = new Map<string, InProgress>();
  for (const pool of pools) {
    for (const slot of pool.tasks.keys()) {
      const i = servedAt(pool, slot, us);
      if (i === undefined) continue;
      const { peakPages, residentPages } = pool.timelines[slot]!;
      const isFirst = pool.tasks[slot]!.lives.some(({ first }) => first === i);
      const before = isFirst ? pool.startPages : residentPages[i - 1]!;
      const bytes = Math.max(0, peakPages[i]! - before) * 4096;
      const request = requestAt(pool, slot, us, names);
      if (bytes === 0 || request === undefined) continue;
      const key = `${pool.pool.name} ${request}`;
      const own = found.get(key) ?? { pool: pool.pool.name, request, count: 0, bytes: 0, mostBytes: 0 };
      found.set(key, {
        ...own,
        count: own.count + 1,
        bytes: own.bytes + bytes,
        mostBytes: Math.max(own.mostBytes, bytes),
      });
    }
  }
  return [...found.values()].sort((x, y) => y.bytes - x.bytes);
}
