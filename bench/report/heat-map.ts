import { isFreeRange, RANGE_CACHED } from '../../sim/contract/allocator.ts';
import { PAGE_BYTES } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import { BRK_START_PAGE, realAddress } from '../../sim/kernel/layout.ts';
import { collectAreas, groupName, isResident, RESERVED, residentBytes } from '../run/areas.ts';
import type { Assembled } from '../run/machine.ts';
import { createHolderTable, type HolderCell, holdersOfCells, largerHolder, readHolders } from './heat-holders.ts';
import type { Holders } from './moments/holders.ts';
import { firstFrom } from './moments/resident-pages.ts';
import type { HeatMap } from './page-data.ts';

/** A granule is a page at first, and twice as large whenever there are more of them than this. */
const GRANULES_MAX = 4096;
const ROWS_MAX = 480;
const COLUMNS_MAX = 320;
const LEVELS = 15; // of occupancy and of residency, four bits each

/** The granules that held something resident, ascending. */
interface Capture {
  readonly event: number;
  readonly ns: number;
  granules: Float64Array;
  freeBytes: Float64Array;
  residentPages: Uint32Array;
  held: HolderCell[];
}

interface Named {
  readonly name: string;
  readonly group: string;
}

/**
 * Who uses which part of the address space, capture after capture. What it keeps is bounded however long the run:
 * beyond twice the columns of a picture every other capture is dropped, beyond GRANULES_MAX granules become coarser.
 */
export function createHeatMapRecorder(who: Holders) {
  const table = createHolderTable(who.births);
  let captures: Capture[] = [];
  let latest: Capture | undefined;
  let taken = 0;
  let every = 1;
  let granulePages = 1;
  const used = new Set<number>();
  /** Areas that granules belonged to, first come first kept. */
  const names = new Map<number, Named>();

  function capture(event: number, assembled: Assembled, ns = 0): void {
    latest = read(event, ns, assembled);
    if (taken++ % every === 0) captures.push(latest);
    while (used.size > GRANULES_MAX) coarsen();
    if (captures.length > COLUMNS_MAX * 2) {
      captures = captures.filter((_, i) => i % 2 === 0);
      every *= 2;
    }
  }

  function read(event: number, ns: number, assembled: Assembled): Capture {
    who.births.readTo(event);
    const { granules, residentPages } = residentGranules(assembled.machine.kernel);
    const freeBytes = freeIn(assembled, granules, residentPages, granulePages);
    const held = readHolders(assembled, granules, granulePages * PAGE_BYTES, table);
    for (const granule of granules) used.add(granule);
    nameGranules(granules, assembled);
    return { event, ns, granules, freeBytes, residentPages, held };
  }

  function residentGranules({ vmas, pages }: Kernel) {
    const granules: number[] = [];
    const counts: number[] = [];
    for (let index = 0; index < vmas.count(); index++) {
      for (let page = vmas.start(index); page < vmas.end(index); page++) {
        if (!isResident(pages, page)) continue;
        const granule = Math.floor(page / granulePages);
        if (granules.at(-1) === granule) counts[counts.length - 1]!++;
        else {
          granules.push(granule);
          counts.push(1);
        }
      }
    }
    return { granules: Float64Array.from(granules), residentPages: Uint32Array.from(counts) };
  }

  function nameGranules(granules: Float64Array, assembled: Assembled): void {
    const granuleBytes = granulePages * PAGE_BYTES;
    for (const area of collectAreas(assembled)) {
      if (area.name === RESERVED) continue;
      let named: Named | undefined;
      for (let i = firstFrom(granules, Math.floor(area.start / granuleBytes)); i < granules.length; i++) {
        if (granules[i]! * granuleBytes >= area.end) break;
        if (names.has(granules[i]!)) continue;
        named ??= { name: area.name, group: groupName(area.name, area.kind) };
        names.set(granules[i]!, named);
      }
    }
  }

  function coarsen(): void {
    granulePages *= 2;
    const half = (granule: number) => Math.floor(granule / 2);
    const all = [...used].map(half);
    used.clear();
    for (const granule of all) used.add(granule);
    const named = [...names];
    names.clear();
    for (const [granule, name] of named) if (!names.has(half(granule))) names.set(half(granule), name);
    for (const c of withLatest()) {
      const granules = Float64Array.from(new Set(c.granules.map(half)));
      const freeBytes = new Float64Array(granules.length);
      const residentPages = new Uint32Array(granules.length);
      const held: HolderCell[] = [];
      let at = 0;
      c.granules.forEach((granule, i) => {
        if (granules[at] !== half(granule)) at++;
        freeBytes[at]! += c.freeBytes[i]!;
        residentPages[at]! += c.residentPages[i]!;
        held[at] = largerHolder(held[at], c.held[i]!, granule === c.granules[i - 1]! + 1);
      });
      Object.assign(c, { granules, freeBytes, residentPages, held });
    }
  }

  const withLatest = () => (latest && captures.at(-1) !== latest ? [...captures, latest] : captures);

  /**
   * Rows are address ranges that were ever resident, group by group and lowest first; what lies between is left out.
   * null where nothing ever was.
   */
  function finish(): HeatMap | null {
    if (used.size === 0) return null;
    const { rows, groups, rowOf, perRow } = layOut([...used], names, granulePages);
    const all = withLatest();
    const step = Math.ceil(all.length / COLUMNS_MAX);
    const columns = all.filter((_, i) => i % step === 0 || i === all.length - 1);
    const capacity = new Float64Array(rows.length);
    for (const granule of used) capacity[rowOf.get(granule)!]! += granulePages * PAGE_BYTES;
    const cells = new Uint8Array(rows.length * columns.length);
    const held: (HolderCell | undefined)[] = new Array(cells.length);
    columns.forEach((c, x) => {
      const free = new Float64Array(rows.length);
      const resident = new Float64Array(rows.length);
      c.granules.forEach((granule, i) => {
        const row = rowOf.get(granule)!;
        free[row]! += c.freeBytes[i]!;
        resident[row]! += c.residentPages[i]! * PAGE_BYTES;
        const place = row * columns.length + x;
        const goesOn = granule === c.granules[i - 1]! + 1 && rowOf.get(granule - 1) === row;
        held[place] = largerHolder(held[place], c.held[i]!, goesOn);
      });
      for (let y = 0; y < rows.length; y++) {
        if (resident[y] === 0) continue;
        // Occupancy is of what is resident: a row of which nothing is free is full however little of it is there.
        const occupancy = Math.max(0, 1 - free[y]! / resident[y]!);
        cells[y * columns.length + x] = level(resident[y]! / capacity[y]!) * 16 + Math.round(occupancy * LEVELS);
      }
    });
    return {
      events: columns.map((c) => c.event),
      ns: columns.map((c) => c.ns),
      rows,
      groups,
      rowBytes: perRow * granulePages * PAGE_BYTES,
      cells: Buffer.from(cells).toString('base64'),
      ...holdersOfCells(held, columns.length, table, who),
    };
  }

  return { capture, finish };
}

/** What of each granule is resident and free, in caches too. */
function freeIn(assembled: Assembled, granules: Float64Array, residentPages: Uint32Array, granulePages: number) {
  const { top } = assembled;
  const freeBytes = new Float64Array(granules.length);
  const granuleBytes = granulePages * PAGE_BYTES;
  const walk = top.walkFree ?? top.walk;
  walk((start, length, kind) => {
    if (!isFreeRange(kind) && kind !== RANGE_CACHED) return;
    const end = start + length;
    for (let i = firstFrom(granules, Math.floor(start / granuleBytes)); i < granules.length; i++) {
      const from = granules[i]! * granuleBytes;
      if (from >= end) break;
      const part = { start: Math.max(start, from), end: Math.min(end, from + granuleBytes) };
      freeBytes[i]! += residentPages[i] === granulePages ? part.end - part.start : residentBytes(assembled, part);
    }
  });
  return freeBytes;
}

/** Each group of areas gets rows of its own, so that its pieces stand together wherever they are mapped. */
function layOut(used: readonly number[], names: ReadonlyMap<number, Named>, granulePages: number) {
  const byGroup = new Map<string, number[]>();
  for (const granule of [...used].sort((x, y) => x - y)) {
    const group = names.get(granule)?.group ?? 'other mappings';
    if (!byGroup.has(group)) byGroup.set(group, []);
    byGroup.get(group)!.push(granule);
  }
  const perRow = Math.ceil(used.length / Math.max(1, ROWS_MAX - byGroup.size));
  const rowOf = new Map<number, number>();
  const rows: { address: string; name: string }[] = [];
  const groups: { name: string; from: number; rows: number; areas: number }[] = [];
  for (const [name, granules] of byGroup) {
    const from = rows.length;
    const areaOf = (granule: number) => names.get(granule)?.name ?? '';
    // By number where there is one: `arena 2` before `arena 10`.
    const keys = new Map(granules.map((g) => [g, areaOf(g).replace(/\d+/g, (n) => n.padStart(12, '0'))]));
    granules.sort((x, y) => compare(keys.get(x)!, keys.get(y)!) || x - y);
    granules.forEach((granule, i) => {
      if (i % perRow === 0) {
        const start = Math.max(granule * granulePages, BRK_START_PAGE) * PAGE_BYTES;
        rows.push({ address: `0x${realAddress(start).toString(16)}`, name: areaOf(granule) });
      } else if (areaOf(granule) !== areaOf(granules[i - 1]!)) {
        const first = areaOf(granules[i - (i % perRow)]!);
        rows[rows.length - 1] = { ...rows.at(-1)!, name: `${first} to ${areaOf(granule)}` };
      }
      rowOf.set(granule, rows.length - 1);
    });
    groups.push({ name, from, rows: rows.length - from, areas: new Set(granules.map(areaOf)).size });
  }
  return { rows, groups, rowOf, perRow };
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);

/** 0 for nothing, else 1 to LEVELS. */
const level = (share: number): number => (share === 0 ? 0 : Math.max(1, Math.round(share * LEVELS)));
