import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/modes/virtual.ts';
import { loadCosts } from '../../bench/time-options.ts';
import type { Touch } from '../../sim/event.ts';
import { columns } from '../../sim/report/format.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { requireShared } from '../helpers/require.ts';

interface RealTimes {
  readonly cpus: number;
  readonly allocators: readonly string[];
  readonly times: readonly {
    readonly workload: string;
    readonly touch: Touch;
    readonly ms: readonly number[];
    readonly slow?: boolean;
  }[];
}

const REAL: RealTimes = JSON.parse(
  readFileSync(new URL('../fixtures/threads/free-running.json', import.meta.url), 'utf8'),
);
/** Real times that differ by more than this must come in the same order here. */
const CLEAR = 1.3;
const NEAR = 0.35;
/** Everything, and in the prices of a file of `sim calibrate`: FULL_TIMES=1 COSTS=cal.json npx vitest run real-times */
const isFull = process.env['FULL_TIMES'] === '1';
const costs = loadCosts(process.env['COSTS'] ?? 'vm');
const SEEDS = [1, 2, 3];

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

test('virtual times come in the order of the real ones', { timeout: 1_800_000 }, async (context) => {
  const traces = requireShared(context, 'traces');
  const table: string[][] = [['workload', 'touch', ...REAL.allocators.flatMap((name) => [name, 'real', 'ratio'])]];
  const misses: string[] = [];
  let pairs = 0;
  let near = 0;
  let total = 0;
  for (const { workload, touch, ms, slow } of REAL.times) {
    if (slow && !isFull) continue;
    const path = workload.includes('/') ? `${traces}/${workload}.htrace.gz` : workload;
    const { events } = await resolveWorkload(path);
    const simulated: number[] = [];
    for (const allocator of REAL.allocators) {
      const times: number[] = [];
      for (const seed of SEEDS) {
        const spec = parseAllocator(allocator, REAL.cpus);
        const run = await runVirtual({ events, workload, spec, cpus: REAL.cpus, touch, seed, costs });
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
        if (ms[j]! < CLEAR * ms[i]!) continue;
        pairs++;
        if (simulated[j]! <= simulated[i]!) {
          misses.push(`${workload} ${touch}: ${REAL.allocators[j]} should take longer than ${REAL.allocators[i]}`);
        }
      }
    }
  }
  console.log(
    [
      ...columns(table, 'llr'),
      `${pairs - misses.length} of ${pairs} clear pairs in the right order; ${near} of ${total} times within 35 %`,
      ...misses,
    ].join('\n'),
  );
  // Which pairs are off is in FIDELITY.md; more of them would be news.
  expect(misses.length).toBeLessThanOrEqual(Math.ceil(pairs * 0.1));
});
