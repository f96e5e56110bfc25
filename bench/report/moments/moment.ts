import { type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { type Area, areaAt, collectAreas, groupName } from '../../run/areas.ts';
import type { Assembled } from '../../run/machine.ts';
import { CLASSES } from '../names.ts';
import type { BlockColumns, CellColumns, MomentData, PlaceData } from '../page-data.ts';
import { areaColumns } from './area-columns.ts';
import { besideBlocks } from './beside.ts';
import { freedColumns, type LastRows } from './freed-columns.ts';
import { blockNames, type Holders } from './holders.ts';
import { firstFrom, type ResidentPages, readResidentPages } from './resident-pages.ts';

/** Runs of equal cells that a page keeps of a moment; with more of them, a cell becomes larger than a page. */
const RUNS_MAX = 4500;
/** Squares that can still be drawn one by one. */
const CELLS_MAX = 65_536;
const BLOCKS_MAX = 5000;
const PLACES_MAX = 4500;

/** All that is resident now, as a page of a report shows it. `last`: whose blocks lay last where memory is free, if somebody has watched. */
export function captureMoment(
  label: string,
  sample: Sample,
  assembled: Assembled,
  who: Holders,
  last?: LastRows,
): MomentData {
  const read = readResidentPages(assembled);
  who.births.readTo(sample.event);
  const listed = blocksToList(read);
  const areas = collectAreas(assembled);
  const places = placesOf(read, areas);
  let cellPages = 1;
  let runs = places.map((place) => runsOf(read, place.pages, cellPages, listed));
  const tooMany = () =>
    runs.reduce((sum, r) => sum + r.at.length, 0) > RUNS_MAX || read.page.length / cellPages > CELLS_MAX;
  while (cellPages < 2 ** 16 && tooMany()) {
    cellPages *= 2;
    runs = places.map((place) => runsOf(read, place.pages, cellPages, listed));
  }
  return {
    label,
    event: sample.event,
    ns: sample.virtualNs,
    rssBytes: sample.rssBytes,
    places: places.map(({ pages: _, ...place }, i): PlaceData => ({ ...place, cells: runs[i]! })),
    cellBytes: cellPages * PAGE_BYTES,
    blocks: blockColumns(read, listed, areas, who),
    areas: areaColumns(read, areas, who.births, assembled.allocator.tunables?.()),
    freed: last ? freedColumns(read, last, who) : null,
    blocksLeftOut: read.blocks.length - listed.length,
  };
}

interface Place {
  readonly name: string;
  readonly areas: number;
  readonly residentBytes: Bytes;
  readonly classBytes: number[];
  readonly liveBlocks: number;
  /** Indices of its resident pages, ascending. */
  readonly pages: number[];
}

/** A page belongs to the area that its first byte, else its last one, lies in. */
function placesOf({ page, bytes, blocks }: ResidentPages, areas: readonly Area[]): Place[] {
  const groups = new Map<string, { areas: Set<number>; pages: number[]; live: number }>();
  const groupAt = (address: number, otherwise: number) => {
    let index = areaAt(areas, address);
    if (index < 0) index = areaAt(areas, otherwise);
    const area = areas[index];
    const name = area ? groupName(area.name, area.kind) : 'other mappings';
    if (!groups.has(name)) groups.set(name, { areas: new Set(), pages: [], live: 0 });
    groups.get(name)!.areas.add(index);
    return groups.get(name)!;
  };
  for (let i = 0; i < page.length; i++) {
    groupAt(page[i]! * PAGE_BYTES, (page[i]! + 1) * PAGE_BYTES - 1).pages.push(i);
  }
  for (const b of blocks) groupAt(b.address, b.address).live++;
  return [...groups]
    .map(([name, g]) => ({
      name,
      areas: g.areas.size,
      residentBytes: g.pages.length * PAGE_BYTES,
      classBytes: CLASSES.map((_, k) => g.pages.reduce((sum, i) => sum + bytes[k]![i]!, 0)),
      liveBlocks: g.live,
      pages: g.pages,
    }))
    .filter((place) => place.pages.length > 0 || place.liveBlocks > 0)
    .sort((x, y) => y.residentBytes - x.residentBytes || (x.name < y.name ? -1 : 1));
}

/**
 * Indices of the blocks that a reader can be shown: all; or of each piece of the address space the one that matters most, so that every
 * place says who holds it, and then those that share their pages with the most free memory.
 */
function blocksToList({ blocks, page, bytes, pinsBytes }: ResidentPages): number[] {
  if (blocks.length <= BLOCKS_MAX) return [...blocks.keys()];
  const pinned = bytes[CLASSES.findIndex((c) => c.key === 'pinned')]!;
  const weights = Float64Array.from(blocks, (b, i) => {
    const at = firstFrom(page, Math.floor(b.address / PAGE_BYTES));
    return pinsBytes[i]! * 8 + (pinned[at] ?? 0) + (b.usableBytes >= 16 * PAGE_BYTES ? b.usableBytes : 0);
  });
  const byWeight = [...blocks.keys()].sort((i, j) => weights[j]! - weights[i]! || i - j);
  const chosen = new Set(oneOfEachPlace(blocks, byWeight));
  for (const i of byWeight) {
    if (chosen.size >= BLOCKS_MAX) break;
    chosen.add(i);
  }
  return [...chosen].sort((i, j) => i - j);
}

/** The first of `order` in each of equal pieces of the address space, as small as the number of blocks allows. */
function oneOfEachPlace(blocks: ResidentPages['blocks'], order: readonly number[]): Iterable<number> {
  for (let pieceBytes = PAGE_BYTES; ; pieceBytes *= 2) {
    const first = new Map<number, number>();
    for (const i of order) {
      const piece = Math.floor(blocks[i]!.address / pieceBytes);
      if (!first.has(piece)) first.set(piece, i);
    }
    if (first.size <= PLACES_MAX) return first.values();
  }
}

/** A cell is so many resident pages of the place, one after the other by address, whatever lies between them. */
function runsOf(
  read: ResidentPages,
  pages: readonly number[],
  cellPages: number,
  listed: readonly number[],
): CellColumns {
  const at: number[] = [];
  const length: number[] = [];
  const span: number[] = [];
  const columns = CLASSES.map((): number[] => []);
  const live: number[] = [];
  const block: number[] = [];
  let runStart = 0;
  let previousStart = 0;
  for (let from = 0; from < pages.length; from += cellPages) {
    const to = Math.min(pages.length, from + cellPages);
    const start = read.page[pages[from]!]!;
    const cellSpan = read.page[pages[to - 1]!]! + 1 - start;
    const sums = CLASSES.map((_, k) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += read.bytes[k]![pages[i]!]!;
      return sum;
    });
    let blocks = 0;
    for (let i = from; i < to; i++) blocks = Math.max(blocks, read.live[pages[i]!]!);
    const first = blocks === 0 || cellSpan > cellPages ? -1 : firstListedOn(read, listed, start, cellSpan);
    const n = at.length - 1;
    const isSame =
      n >= 0 &&
      start === previousStart + cellPages &&
      span[n] === cellSpan &&
      live[n] === blocks &&
      block[n] === first &&
      sums.every((v, k) => columns[k]![n] === v);
    if (isSame) length[n]!++;
    else {
      at.push(start - runStart);
      runStart = start;
      length.push(1);
      span.push(cellSpan);
      for (const [k, v] of sums.entries()) columns[k]!.push(v);
      live.push(blocks);
      block.push(first);
    }
    previousStart = start;
  }
  return { at, length, span, bytes: columns, live, block };
}

/** Position in `listed` of the first block with a byte on the pages, -1 where none is listed. */
function firstListedOn({ blocks }: ResidentPages, listed: readonly number[], page: number, pages: number): number {
  const start = page * PAGE_BYTES;
  let low = 0;
  let high = listed.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const b = blocks[listed[middle]!]!;
    if (b.address + Math.max(1, b.usableBytes) <= start) low = middle + 1;
    else high = middle;
  }
  const b = blocks[listed[low] ?? -1];
  return b && b.address < start + pages * PAGE_BYTES ? low : -1;
}

function blockColumns(
  read: ResidentPages,
  listed: readonly number[],
  areas: readonly Area[],
  who: Holders,
): BlockColumns {
  const chosen = listed.map((i) => read.blocks[i]!);
  const events = chosen.map((b) => who.births.eventOf(b.slot, b.handle));
  return {
    address: chosen.map((b, i) => b.address - (chosen[i - 1]?.address ?? 0)),
    usableBytes: chosen.map((b) => b.usableBytes),
    requestedBytes: chosen.map((b) => b.requestedBytes),
    pinsBytes: listed.map((i) => read.pinsBytes[i]!),
    ...besideBlocks(read, listed, areas),
    ...blockNames(events, who),
  };
}
