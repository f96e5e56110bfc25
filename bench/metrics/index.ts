import { UserError } from '../../sim/contract/assert.ts';
import { bytes, count, duration } from '../../sim/contract/format.ts';
import { createRegistry } from '../../sim/contract/registry.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';
import { COST_METRICS } from './cost.ts';
import { ENGINE_METRICS } from './engine.ts';
import { MEMORY_METRICS } from './memory.ts';
import type { Metric } from './metric.ts';

/** Every metric, in the order of tables. To add one: write its file, and name it here. */
const metrics = createRegistry<Metric>('metric', [...MEMORY_METRICS, ...COST_METRICS, ...ENGINE_METRICS]);
export const METRICS = metrics.all;
export const registerMetric = metrics.add;

export function metricNamed(name: string): Metric {
  const metric = METRICS.find((m) => m.name === name);
  if (metric) return metric;
  throw new UserError(
    `unknown metric '${name}'${suggestion(
      name,
      METRICS.map((m) => m.name),
    )}`,
  );
}

/** A value for people, with its unit. */
export function metricText(metric: Metric, value: number | null): string {
  if (value === null) return '-';
  switch (metric.unit) {
    case 'bytes':
      return bytes(value);
    case 'ns':
      return duration(value);
    case 'ratio':
      return value.toFixed(3);
    case 'events/s':
      return `${(value / 1e6).toFixed(1)} M/s`;
    default:
      return count(value);
  }
}
