import type { AreaKind } from '../../sim/allocator.ts';
import type { Breakdown } from '../../sim/metrics/sample.ts';
import type { Bytes } from '../../sim/units.ts';
import { NOTHING } from './areas.ts';
import type { AreaReport } from './ranges.ts';

/** Areas that differ by their number alone (`arena 3, heap 1`), together. */
export interface AreaGroup {
  readonly name: string;
  readonly kind: AreaKind;
  readonly count: number;
  readonly mappedBytes: Bytes;
  readonly residentBytes: Bytes;
  readonly breakdown: Breakdown;
  readonly liveBlocks: number;
}

/** Largest first. */
export function groupAreas(areas: readonly AreaReport[]): AreaGroup[] {
  const groups = new Map<string, AreaGroup>();
  for (const area of areas) {
    const name = area.kind === 'slab' ? area.name : groupName(area.name);
    const g = groups.get(name);
    groups.set(name, {
      name,
      kind: area.kind,
      count: (g?.count ?? 0) + 1,
      mappedBytes: (g?.mappedBytes ?? 0) + area.mappedBytes,
      residentBytes: (g?.residentBytes ?? 0) + area.residentBytes,
      breakdown: add(g?.breakdown ?? NOTHING, area.breakdown),
      liveBlocks: (g?.liveBlocks ?? 0) + area.liveBlocks,
    });
  }
  return [...groups.values()].sort((x, y) => y.residentBytes - x.residentBytes || (x.name < y.name ? -1 : 1));
}

/** `arena 3, heap 1` → `arena heap`: the name without its numbers. */
export function groupName(name: string): string {
  return name
    .replace(/\s*\d+/g, '')
    .replace(/,/g, '')
    .trim();
}

function add(x: Breakdown, y: Breakdown): Breakdown {
  return {
    requested: x.requested + y.requested,
    slack: x.slack + y.slack,
    metadata: x.metadata + y.metadata,
    cached: x.cached + y.cached,
    pinned: x.pinned + y.pinned,
    returnable: x.returnable + y.returnable,
  };
}
