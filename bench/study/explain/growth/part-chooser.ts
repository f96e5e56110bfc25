import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { hasCallSites } from '../heap/by-site.ts';
import { linesOfSites } from './lines-of-sites.ts';

/** Which part a block belongs to, by the row that gave it its size. */
export interface PartChooser {
  ofSize(row: number, size: Bytes): number;
  /** Where realloc made it grow. */
  grown(row: number): number;
}

type NewPart = (line: string | null, sizes: readonly [Bytes, Bytes] | null) => number;

export function createChooser(events: EventBuffer, newPart: NewPart): PartChooser {
  if (!hasCallSites(events)) return chooseBySize(newPart);
  const { sites } = events;
  const lineOf = linesOfSites(events);
  const ofLine = new Map<string, number>();
  const bySite = new Int32Array(events.siteParent.length).fill(-1);
  const choose = (row: number): number => {
    const site = sites[row]!;
    if (bySite[site]! < 0) {
      const line = lineOf(site);
      const part = ofLine.get(line) ?? newPart(line, null);
      ofLine.set(line, part);
      bySite[site] = part;
    }
    return bySite[site]!;
  };
  return { ofSize: choose, grown: choose };
}

function chooseBySize(newPart: NewPart): PartChooser {
  const ofClass = new Int32Array(CLASSES).fill(-1);
  let grown = -1;
  return {
    ofSize(_, size) {
      const index = classOf(size);
      if (ofClass[index]! < 0) ofClass[index] = newPart(null, sizesOf(index));
      return ofClass[index]!;
    },
    grown() {
      if (grown < 0) grown = newPart(null, null);
      return grown;
    },
  };
}

/** Sizes that are taken together: four a doubling, none less than 16 bytes apart. */
const GRAIN: Bytes = 16;
const DOUBLING_BITS = 2;
const CLASSES = 64 << DOUBLING_BITS;

/** Its number: eight times a grain is of one grain each, and every doubling from there on of four steps. */
function classOf(size: Bytes): number {
  const grains = Math.floor((size - 1) / GRAIN);
  return grains < 2 ** 32 ? classOfGrains(grains) : classOfGrains(Math.floor(grains / 2 ** 28)) + (28 << DOUBLING_BITS);
}

function classOfGrains(grains: number): number {
  const doublings = Math.max(0, 31 - DOUBLING_BITS - Math.clz32(grains));
  return (doublings << DOUBLING_BITS) + (grains >>> doublings);
}

function sizesOf(index: number): readonly [Bytes, Bytes] {
  const doublings = Math.max(0, (index >> DOUBLING_BITS) - 1);
  const step = GRAIN * 2 ** doublings;
  const from = (index - (doublings << DOUBLING_BITS)) * step;
  return [from + 1, from + step];
}
