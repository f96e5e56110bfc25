import { PAGE_BYTES } from '../../sim/contract/units.ts';
import { BRK_START_PAGE, MMAP_BOTTOM_PAGE, relativeAddress } from '../../sim/kernel/layout.ts';
import { forEachLive } from '../../sim/replay/objects.ts';
import { collectAreas, isResident, RESERVED } from '../run/areas.ts';
import type { Assembled } from '../run/machine.ts';
import type { HeatMap } from './page-data.ts';

/** Pages in a granule, the finest that is kept: 64 KiB. */
const GRANULE_PAGES = 16;
const GRANULE_BYTES = GRANULE_PAGES * PAGE_BYTES;
const ROWS_MAX = 512;
const COLUMNS_MAX = 320;
const LEVELS = 15; // of occupancy and of residency, four bits each

interface Capture {
  readonly event: number;
  /** Granule → live bytes in it, and resident pages. */
  readonly live: Map<number, number>;
  readonly resident: Map<number, number>;
}

/** Who uses which part of the address space, sample after sample. */
export function createHeatMapRecorder() {
  const captures: Capture[] = [];
  /** Names of the areas that granules belonged to, first come first kept. */
  const names = new Map<number, string>();

  function capture(event: number, assembled: Assembled): void {
    const { machine, objects, top } = assembled;
    const live = new Map<number, number>();
    const resident = new Map<number, number>();
    forEachLive(objects, (_slot, handle, requested) => {
      const start = top.addressOf(handle);
      const end = start + Math.min(requested, top.usableSize(handle));
      for (let at = start; at < end; ) {
        const granule = Math.floor(at / GRANULE_BYTES);
        const to = Math.min(end, (granule + 1) * GRANULE_BYTES);
        live.set(granule, (live.get(granule) ?? 0) + to - at);
        at = to;
      }
    });
    const { vmas, pages } = machine.kernel;
    for (let index = 0; index < vmas.count(); index++) {
      for (let page = vmas.start(index); page < vmas.end(index); page++) {
        if (!isResident(pages, page)) continue;
        const granule = Math.floor(page / GRANULE_PAGES);
        resident.set(granule, (resident.get(granule) ?? 0) + 1);
      }
    }
    for (const area of collectAreas(assembled)) {
      if (area.name === RESERVED) continue;
      const last = Math.floor((area.end - 1) / GRANULE_BYTES);
      for (let granule = Math.floor(area.start / GRANULE_BYTES); granule <= last; granule++) {
        if (resident.has(granule) && !names.has(granule)) names.set(granule, area.name);
      }
    }
    captures.push({ event, live, resident });
  }

  /** Rows are address ranges that were ever resident, lowest first; the gaps between them are left out. */
  function finish(): HeatMap | null {
    const used = new Set<number>();
    for (const c of captures) for (const granule of c.resident.keys()) used.add(granule);
    if (used.size === 0) return null;
    const granules = [...used].sort((x, y) => x - y);
    const perRow = Math.ceil(granules.length / ROWS_MAX);
    const rowOf = new Map<number, number>();
    const rows: { address: string; name: string }[] = [];
    let inRow = 0;
    for (const [i, granule] of granules.entries()) {
      // A row never spans a gap between the brk heap and the mappings.
      const crosses =
        i > 0 && granules[i - 1]! < MMAP_BOTTOM_PAGE / GRANULE_PAGES && granule >= MMAP_BOTTOM_PAGE / GRANULE_PAGES;
      if (i === 0 || inRow === perRow || crosses) {
        rows.push({
          address: relativeAddress(Math.max(granule * GRANULE_BYTES, BRK_START_PAGE * PAGE_BYTES)),
          name: names.get(granule) ?? '',
        });
        inRow = 0;
      }
      inRow++;
      rowOf.set(granule, rows.length - 1);
    }
    const step = Math.ceil(captures.length / COLUMNS_MAX);
    const columns = captures.filter((_, i) => i % step === 0 || i === captures.length - 1);
    const cells = new Uint8Array(rows.length * columns.length);
    const capacity = new Float64Array(rows.length);
    for (const granule of granules) capacity[rowOf.get(granule)!]! += GRANULE_BYTES;
    columns.forEach((c, x) => {
      const live = new Float64Array(rows.length);
      const resident = new Float64Array(rows.length);
      for (const [granule, bytes] of c.live) {
        const row = rowOf.get(granule);
        if (row !== undefined) live[row]! += bytes;
      }
      for (const [granule, pages] of c.resident) resident[rowOf.get(granule)!]! += pages * PAGE_BYTES;
      for (let y = 0; y < rows.length; y++) {
        // Occupancy is of what is resident: a row that is all live is full however little of it is there.
        const occupancy = resident[y] === 0 ? 0 : Math.min(1, live[y]! / resident[y]!);
        cells[y * columns.length + x] =
          level(resident[y]! / capacity[y]!) * 16 + (resident[y] === 0 ? 0 : Math.round(occupancy * LEVELS));
      }
    });
    return {
      events: columns.map((c) => c.event),
      rows,
      rowBytes: perRow * GRANULE_BYTES,
      cells: Buffer.from(cells).toString('base64'),
    };
  }

  return { capture, finish };
}

/** 0 for nothing, else 1 to LEVELS. */
const level = (share: number): number => (share === 0 ? 0 : Math.max(1, Math.round(share * LEVELS)));
