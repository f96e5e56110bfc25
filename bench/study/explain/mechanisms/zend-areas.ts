import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { AreaReport } from '../heap/ranges.ts';

/** The chunks that the heaps of the Zend MM have cached now. */
export function cachedChunks({ top }: Assembled): number {
  let chunks = 0;
  top.areas?.((_start, _length, name) => {
    if (name.includes('cached chunk')) chunks++;
  });
  return chunks;
}

export const areaResident = (areas: readonly AreaReport[], name: string): Bytes =>
  areas.reduce((sum, a) => sum + (a.name.includes(name) ? a.residentBytes : 0), 0);
