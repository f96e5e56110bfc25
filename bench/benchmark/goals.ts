import type { Loading } from './loading.ts';
import type { ReplayRow } from './replay-rows.ts';
import type { SchedulingRow } from './scheduling.ts';
import type { BenchTraceName } from './traces.ts';

export interface Goal {
  readonly name: string;
  readonly found: number;
  readonly unit: string;
  readonly must: number;
  readonly aim: number;
  /** Whether less is better. */
  readonly below: boolean;
}

export type Mark = 'aim' | 'must' | 'missed';

export function markOf({ found, must, aim, below }: Goal): Mark {
  const reaches = (limit: number) => (below ? found <= limit : found >= limit);
  return reaches(aim) ? 'aim' : reaches(must) ? 'must' : 'missed';
}

/** M events/s of the glibc model on the machine for which the goals were set. */
const RATES: Readonly<Record<BenchTraceName, readonly [must: number, aim: number]>> = {
  'hit-dominated': [110, 150],
  mixed: [75, 100],
  '250k live': [45, 65],
  'bins-dominated': [13, 20],
};

export function goals(rows: readonly ReplayRow[], scheduling: readonly SchedulingRow[], loading: Loading): Goal[] {
  const list: Goal[] = [];
  const add = (name: string, found: number, unit: string, must: number, aim: number, below = false) =>
    list.push({ name, found, unit, must, aim, below });
  for (const allocator of new Set(rows.map((row) => row.allocator))) {
    const own = rows.filter((row) => row.allocator === allocator);
    const worst = (value: (row: ReplayRow) => number | undefined) =>
      Math.min(...own.map((row) => value(row) ?? Infinity));
    const dearest = (value: (row: ReplayRow) => number) => Math.max(...own.map(value));
    if (own.some((row) => row.ratio)) {
      add(
        `${allocator} : real, not touching, worst trace`,
        worst((row) => row.ratio?.none),
        'times',
        0.8,
        1,
      );
      add(
        `${allocator} : real, writing every byte, worst trace`,
        worst((row) => row.ratio?.full),
        'times',
        1.1,
        1.4,
      );
    }
    if (allocator === 'glibc') {
      for (const row of own) add(`glibc, ${row.trace}`, row.model.none, 'M events/s', ...RATES[row.trace]);
    }
    const large = own.find((row) => row.trace === '250k live');
    if (large) add(`${allocator}, host bytes per live block`, large.hostBytesPerLiveBlock, 'bytes', 40, 28, true);
    add(`${allocator}, RSS accounting, full touch`, dearest((row) => row.residency.full) * 100, '%', 3, 0, true);
    add(`${allocator}, RSS accounting, partial`, dearest((row) => row.residency.first) * 100, '%', 10, 5, true);
  }
  for (const row of scheduling) {
    add(
      `${row.allocator}, virtual : lockstep, ${/^[a-z]+/.exec(row.workload)![0]}`,
      row.ratio,
      'times',
      2.5,
      1.5,
      true,
    );
  }
  add('validated text parse', loading.textMegabytesPerSecond, 'MB/s', 500, 800);
  add('binary load', loading.binaryNsPerEvent, 'ns/event', 6, 3, true);
  add(`cold run of ${loading.coldEvents / 1e6} M events`, loading.coldSeconds, 's', 1.5, 0.5, true);
  return list;
}
