import { UserError } from '../../../sim/contract/assert.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { metricNamed } from '../../metrics/index.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { RunResult } from '../../run/result.ts';

/** How much worse a figure may become: by so many percent of the beginning, or by `slack` where that is more. `metric=PERCENT`, or `metric=any`. */
export interface Bound {
  readonly metric: string;
  /** null: as much as it likes. */
  readonly percent: number | null;
  readonly slack: number;
}

const MIB = 1024 * 1024;

/** Nobody wants memory at any price. Calls and faults are bounds of their own because file order has no time to price them. */
export const DEFAULT_BOUNDS: readonly Bound[] = [
  { metric: 'virtualNs', percent: 10, slack: 0 },
  { metric: 'cpuNs', percent: 10, slack: 0 },
  { metric: 'rssPeakBytes', percent: 10, slack: MIB / 16 },
  { metric: 'syscalls', percent: 100, slack: 100 },
  { metric: 'faults', percent: 50, slack: 1000 },
];

/**
 * The defaults, but for the goal, with what was asked for in their place. Work may grow by its share of what the program takes in all (`programNs`),
 * where that was recorded.
 */
export function boundsFor(objective: string, asked: readonly Bound[], programNs: Ns | null = null): Bound[] {
  const named = new Set(asked.map((b) => b.metric));
  for (const { metric } of asked) metricNamed(metric);
  const bounds = [...DEFAULT_BOUNDS.filter((b) => b.metric !== objective && !named.has(b.metric)), ...asked];
  return bounds.map((bound) =>
    bound.metric === 'cpuNs' && bound.percent !== null && programNs !== null
      ? { ...bound, slack: Math.max(bound.slack, (programNs * bound.percent) / 100) }
      : bound,
  );
}

export function parseBound(text: string): Bound {
  const match = /^(\w+)=(?:(\d+(?:\.\d+)?)%?|any)$/.exec(text);
  if (!match) throw new UserError(`--keep: found '${text}', expected metric=percent or metric=any`);
  return { metric: match[1]!, percent: match[2] === undefined ? null : Number(match[2]), slack: 0 };
}

/** Whether nothing that worked fails, and no figure is worse than its bound lets it be. */
export function isWithin(result: RunResult, base: RunResult, bounds: readonly Bound[]): boolean {
  if (result.abort || result.summary.failedAllocations > base.summary.failedAllocations) return false;
  return bounds.every(({ metric: name, percent, slack }) => {
    const metric = metricNamed(name);
    const value = metric.of(result);
    const before = metric.of(base);
    if (percent === null || value === null || before === null) return true;
    return worsening(metric, before, value) <= Math.max((Math.abs(before) * percent) / 100, slack);
  });
}

/** How much worse `value` is than `before`; less than 0 where it is better. */
export function worsening(metric: Metric, before: number, value: number): number {
  return metric.better === 'lower' ? value - before : before - value;
}
