import { isWithin } from '../machine/worst-moments.ts';
import type { FleetFigures } from './figures.ts';
import type { GroupFigures } from './group-figures.ts';
import type { Trend } from './trend.ts';

/** What a pool's memory comes to: a memory.max, or all of the machine's. */
export interface Limit {
  readonly what: string;
  readonly bytes: number;
  /** At the end, and at the worst moment: with all that requests in progress need then. */
  readonly leftBytes: number;
  readonly worstLeftBytes: number;
  /** Of all that is kept there. */
  readonly trend: Trend;
}

export const limitOf = ({ name, firmBytes, mostFirmBytes }: GroupFigures, maxBytes: number): Limit => ({
  what: `memory.max of ${name}`,
  bytes: maxBytes,
  leftBytes: maxBytes - firmBytes.trend.endBytes,
  worstLeftBytes: Math.max(0, maxBytes - mostFirmBytes),
  trend: firmBytes.kept,
});

export const allMemory = ({ availableBytes, lowestAvailableBytes, usedBytes, totalBytes }: FleetFigures): Limit => ({
  what: 'all memory',
  bytes: totalBytes,
  leftBytes: availableBytes.trend.endBytes,
  worstLeftBytes: lowestAvailableBytes,
  trend: usedBytes.kept,
});

/** Of what comes to a limit: the whole, where that climbs too; what does not slow down does not stop because something else there does. */
export function trendTo(own: Trend, { trend }: Limit): Trend {
  const isSlower = trend.towardsBytes < Infinity && own.towardsBytes === Infinity;
  return trend.shape === 'climbs' && !isSlower ? trend : own;
}

/** What the memory of somebody in a group comes to first. */
export function nearestLimit(group: string | undefined, figures: FleetFigures): Limit {
  const limits = [
    ...figures.groups
      .filter(({ name, maxBytes }) => maxBytes !== null && isWithin(group, name))
      .map((own) => limitOf(own, own.maxBytes!)),
    allMemory(figures),
  ];
  return limits.reduce((x, y) => (y.worstLeftBytes < x.worstLeftBytes ? y : x));
}
