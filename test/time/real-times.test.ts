import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { loadCosts } from '../../bench/cli/time-options.ts';
import type { Touch } from '../../sim/contract/event.ts';
import { columns } from '../../sim/contract/format.ts';
import { type Costs, parseCosts } from '../../sim/time/costs.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { requireShared } from '../helpers/require.ts';

/** Times of free-running replays on real allocators: where and when they were measured is in `about`. */
interface RealTimes {
  readonly about: string;
  readonly cpus: number;
  readonly allocators: readonly string[];
  /** What `sim calibrate` measured there in the same hour; without it the default prices. */
  readonly prices?: object;
  readonly times: readonly {
    /** A shared trace (with a slash in it), or a built-in workload. */
    readonly workload: string;
    readonly touch: Touch;
    /** Medians, and lower quartiles: pairs of allocators that differ in one of them alone are none. */
    readonly ms: readonly number[];
    readonly quartile?: readonly number[];
    /** Medians of another time: of ten clear pairs one is not clear then, and of fifty one comes in the other order. */
    readonly again?: readonly number[];
    readonly slow?: boolean;
  }[];
}

const readTimes = (name: string): RealTimes =>
  JSON.parse(readFileSync(new URL(`../fixtures/threads/${name}.json`, import.meta.url), 'utf8'));

/** Real times that differ by more than this must come in the same order here. */
const CLEAR = 1.3;
const CLEAR_QUARTILE = 1.2;
const NEAR = 0.35;
/** Everything, and in the prices of a file of `sim calibrate`: FULL_TIMES=1 COSTS=cal.json npx vitest run real-times */
const isFull = process.env['FULL_TIMES'] === '1';
const SEEDS = isFull ? [1, 2, 3] : [1];

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

function pricesOf(real: RealTimes, name: string): Costs {
  const given = process.env['COSTS'];
  if (given !== undefined) return loadCosts(given);
  return real.prices ? parseCosts(JSON.stringify(real.prices), name) : loadCosts('vm');
}

describe.each([
  // How many of the clear pairs may be out of order: those of FIDELITY.md; more of them would be news.
  { name: 'free-running', wrong: 0.1 },
  { name: 'free-running-calibrated', wrong: 0.1 },
  { name: 'free-running-handed-over', wrong: 0.1 },
])('virtual times beside real ones: $name', ({ name, wrong }) => {
  test('come in the same order', { timeout: 1_800_000 }, async (context) => {
    const traces = requireShared(context, 'traces');
    const real = readTimes(name);
    const costs = pricesOf(real, name);
    const table: string[][] = [['workload', 'touch', ...real.allocators.flatMap((a) => [a, 'real', 'ratio'])]];
    const misses: string[] = [];
    let pairs = 0;
    let pairsTwice = 0; // clear at both times
    let missesTwice = 0;
    let near = 0;
    let total = 0;
    for (const { workload, touch, ms, quartile = ms, again = ms, slow } of real.times) {
      if (slow && !isFull) continue;
      const path = workload.includes('/') ? `${traces}/${workload}.htrace.gz` : workload;
      const { events } = await resolveWorkload(path);
      const simulated: number[] = [];
      for (const allocator of real.allocators) {
        const times: number[] = [];
        for (const seed of SEEDS) {
          const spec = parseAllocator(allocator, real.cpus);
          const run = await runVirtual({ events, workload, spec, cpus: real.cpus, touch, seed, costs });
          times.push(run.summary.virtualNs / 1e6);
        }
        simulated.push(median(times));
      }
      table.push([
        workload,
        touch,
        ...simulated.flatMap((time, i) => [time.toFixed(2), String(ms[i]), (time / ms[i]!).toFixed(2)]),
      ]);
      for (let i = 0; i < ms.length; i++) {
        total++;
        if (Math.abs(simulated[i]! / ms[i]! - 1) <= NEAR) near++;
        for (let j = 0; j < ms.length; j++) {
          if (ms[j]! < CLEAR * ms[i]! || quartile[j]! < CLEAR_QUARTILE * quartile[i]!) continue;
          const isClearAgain = again[j]! >= CLEAR * again[i]!;
          pairs++;
          if (isClearAgain) pairsTwice++;
          if (simulated[j]! > simulated[i]!) continue;
          const mark = isClearAgain ? '' : ' (not clear at another time)';
          misses.push(
            `${workload} ${touch}: ${real.allocators[j]} should take longer than ${real.allocators[i]}${mark}`,
          );
          if (isClearAgain) missesTwice++;
        }
      }
    }
    console.log(
      [
        real.about,
        ...columns(table, 'llr'),
        `${pairs - misses.length} of ${pairs} clear pairs in the right order (${pairsTwice - missesTwice} of ${pairsTwice} that are clear at another time too); ${near} of ${total} times within 35 %`,
        ...misses,
      ].join('\n'),
    );
    expect(missesTwice).toBeLessThanOrEqual(Math.ceil(pairsTwice * wrong));
  });
});
