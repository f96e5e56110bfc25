import type { AreaKind } from '../../../../sim/contract/allocator.ts';
import { bytes, count } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Breakdown } from '../../../../sim/metrics/sample.ts';
import { groupName, NOTHING } from '../../../run/areas.ts';
import type { AreaReport } from './ranges.ts';
import type { ReturnPrediction } from './returns.ts';

/** Areas that differ by their number alone (`arena 3, heap 1`), together. */
export interface AreaGroup {
  readonly name: string;
  readonly kind: AreaKind;
  readonly count: number;
  readonly mappedBytes: Bytes;
  readonly residentBytes: Bytes;
  readonly breakdown: Breakdown;
  readonly withinSlabsBytes: Bytes;
  readonly liveBlocks: number;
}

/** Largest first. */
export function groupAreas(areas: readonly AreaReport[]): AreaGroup[] {
  const groups = new Map<string, AreaGroup>();
  for (const area of areas) {
    const name = groupName(area.name, area.kind);
    const g = groups.get(name);
    groups.set(name, {
      name,
      kind: area.kind,
      count: (g?.count ?? 0) + 1,
      mappedBytes: (g?.mappedBytes ?? 0) + area.mappedBytes,
      residentBytes: (g?.residentBytes ?? 0) + area.residentBytes,
      breakdown: add(g?.breakdown ?? NOTHING, area.breakdown),
      withinSlabsBytes: (g?.withinSlabsBytes ?? 0) + area.withinSlabsBytes,
      liveBlocks: (g?.liveBlocks ?? 0) + area.liveBlocks,
    });
  }
  return [...groups.values()].sort((x, y) => y.residentBytes - x.residentBytes || (x.name < y.name ? -1 : 1));
}

/** `main heap`, `14 arena heaps`, `3 slabs of 320`. */
export function countedName(name: string, many: number): string {
  if (many === 1) return name;
  return `${count(many)} ${name.includes(' of ') ? name.replace(' of ', 's of ') : `${name}s`}`;
}

/** Where returned bytes come from, by group, the most first: `63.4 MiB from the main heap`. */
export function returnTexts(prediction: ReturnPrediction, areas: readonly AreaReport[]): string[] {
  const groups = new Map<string, { many: number; bytes: Bytes }>();
  for (const { index, area, returnsBytes } of prediction.byArea) {
    const name = groupName(area, areas[index]!.kind);
    const g = groups.get(name) ?? { many: 0, bytes: 0 };
    groups.set(name, { many: g.many + 1, bytes: g.bytes + returnsBytes });
  }
  return [...groups]
    .sort(([, x], [, y]) => y.bytes - x.bytes)
    .map(([name, g]) => `${bytes(g.bytes)} from ${g.many === 1 ? 'the ' : ''}${countedName(name, g.many)}`);
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
