import type { Addr, Bytes } from '../../../sim/contract/units.ts';
import { type Area, areaAt } from '../../run/areas.ts';
import type { BlockColumns } from '../page-data.ts';
import type { FreeRange, ResidentPages } from './resident-pages.ts';

type Beside = Pick<BlockColumns, 'freeBelowBytes' | 'freeAboveBytes' | 'area' | 'areaNames' | 'rank'>;

const NEITHER = 0;
const LAST = 1;
const ONLY = 2;

/** What lies free between the listed blocks and their live neighbours in the same area, and whether they have any. */
export function besideBlocks(
  { blocks, free }: ResidentPages,
  listed: readonly number[],
  areas: readonly Area[],
): Beside {
  const bytesIn = freeBetween(free);
  const names = new Map<string, number>();
  const [freeBelowBytes, freeAboveBytes, area, rank]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const i of listed) {
    const block = blocks[i]!;
    const index = areaAt(areas, block.address);
    const { name, start, end } = areas[index] ?? { name: '', start: 0, end: Infinity };
    const [before, after] = [blocks[i - 1], blocks[i + 1]];
    const below = before && before.address >= start ? before : undefined;
    const above = after && after.address < end ? after : undefined;
    freeBelowBytes.push(bytesIn(below?.address ?? start, block.address));
    freeAboveBytes.push(bytesIn(block.address, above?.address ?? end));
    if (index >= 0 && !names.has(name)) names.set(name, names.size);
    area.push(index < 0 ? -1 : names.get(name)!);
    rank.push(index < 0 || above ? NEITHER : below ? LAST : ONLY);
  }
  return { freeBelowBytes, freeAboveBytes, area, areaNames: [...names.keys()], rank };
}

/** The resident bytes of the free ranges that begin in [from, to). */
function freeBetween(free: readonly FreeRange[]): (from: Addr, to: Addr) => Bytes {
  const sums = new Float64Array(free.length + 1);
  for (const [i, { residentBytes }] of free.entries()) sums[i + 1] = sums[i]! + residentBytes;
  const countBelow = (address: Addr) => {
    let low = 0;
    let high = free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (free[middle]!.start < address) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (from, to) => sums[countBelow(to)]! - sums[countBelow(from)]!;
}
