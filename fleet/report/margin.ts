import { bytes, percent } from '../../sim/contract/format.ts';
import type { FleetFigures } from './figures.ts';

/** What is left of all memory, or of a group's memory.max, at the worst moment that was met. */
export interface Margin {
  /** The group; undefined: all memory. */
  readonly group: string | undefined;
  readonly limitBytes: number;
  /** At most: MemTotal without MemAvailable, or the group without its page cache. */
  readonly usedBytes: number;
  readonly leftBytes: number;
}

/** With less than this share of a limit left it holds barely. */
const BARELY = 0.05;

export const MARGIN_RULE = `less than ${percent(BARELY)} of memory, or of a memory.max, was left at the worst moment; free swap does not count`;

/** All memory first, then the groups with a limit. */
export function marginsOf(figures: FleetFigures): Margin[] {
  const { totalBytes, lowestAvailableBytes } = figures;
  const groups = figures.groups.flatMap(({ name, maxBytes, mostFirmBytes }): Margin[] =>
    maxBytes === null
      ? []
      : [{ group: name, limitBytes: maxBytes, usedBytes: mostFirmBytes, leftBytes: maxBytes - mostFirmBytes }],
  );
  const machine = {
    group: undefined,
    limitBytes: totalBytes,
    usedBytes: totalBytes - lowestAvailableBytes,
    leftBytes: lowestAvailableBytes,
  };
  return [machine, ...groups];
}

const shareOf = ({ leftBytes, limitBytes }: Margin) => leftBytes / limitBytes;

/** The one of which the smallest share is left. */
export const tightest = (margins: readonly Margin[]): Margin =>
  margins.reduce((x, y) => (shareOf(y) < shareOf(x) ? y : x));

/** That of what is tightest in the first of several runs, which may take that limit away: of all memory then. */
export function marginLike(first: readonly Margin[]): (margins: readonly Margin[]) => Margin {
  const { group } = tightest(first);
  return (margins) => margins.find((margin) => margin.group === group) ?? margins[0]!;
}

export const isBarely = (margin: Margin): boolean => shareOf(margin) < BARELY;

export const leftText = (margin: Margin): string => `${bytes(margin.leftBytes)}, ${percent(shareOf(margin))}`;

export const limitText = ({ group }: Pick<Margin, 'group'>): string =>
  group === undefined ? 'all memory' : `memory.max of ${group}`;
