import { csvText } from '../../sim/contract/escape.ts';
import type { Comparison } from '../metrics/comparison.ts';
import type { PlanResult } from './plan/plan.ts';
import type { Scaling } from './scaling/scaling.ts';
import type { TuneResult } from './tune/tune.ts';

/** One line a metric, allocator and seed. */
export function comparisonCsv({ rows, columns, seeds }: Comparison): string {
  const lines = rows.flatMap((row) =>
    row.cells.flatMap((cell, i) =>
      cell === null ? [] : cell.values.map((value, j) => [row.metric, row.unit, columns[i]!, seeds[j]!, value]),
    ),
  );
  return csvText(['metric', 'unit', 'allocator', 'seed', 'value'], lines);
}

/** One line a point that was run. */
export function tuneCsv({ columns, points }: TuneResult): string {
  return csvText(
    ['allocator', ...columns, 'front', 'withinBounds', 'failed'],
    points.map((p) => [
      p.allocator,
      ...columns.map((name) => p.figures[name] ?? null),
      p.front,
      p.withinBounds,
      p.failed,
    ]),
  );
}

/** One line an allocator. */
export function planCsv({ rows }: PlanResult): string {
  const names = Object.keys(rows[0]!) as (keyof PlanResult['rows'][number])[];
  return csvText(
    ['allocator', ...names.filter((name) => name !== 'allocator')],
    rows.map((row) => [row.allocator, ...names.filter((n) => n !== 'allocator').map((n) => row[n] ?? null)]),
  );
}

/** One line a number of threads. */
export function scalingCsv({ points }: Scaling): string {
  const names = Object.keys(points[0]!) as (keyof Scaling['points'][number])[];
  return csvText(
    names,
    points.map((p) => names.map((name) => p[name])),
  );
}
