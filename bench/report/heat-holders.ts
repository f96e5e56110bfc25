import type { Handle } from '../../sim/contract/allocator.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import { forEachLive } from '../../sim/replay/objects.ts';
import type { Assembled } from '../run/machine.ts';
import type { Births } from './moments/births.ts';
import { blockNames, type Holders } from './moments/holders.ts';
import { firstFrom } from './moments/resident-pages.ts';
import type { HeatMap } from './page-data.ts';

/** Blocks that a page names at most; of more those stay that hold most cells. */
const LISTED_MAX = 5000;
/** Pieces above the lowest one that are found without a search. */
const TABLED = 1 << 24;

/** The live blocks with a byte in a piece of the address space. */
export interface HolderCell {
  /** Those that begin in it. */
  readonly begins: number;
  /** Whether one reaches into it from below. */
  readonly entered: boolean;
  /** The one with most bytes there, as the table numbers it, -1 without one; and its bytes there. */
  readonly holder: number;
  readonly bytes: Bytes;
}

interface Holder {
  readonly event: number;
  readonly address: Addr;
  readonly usableBytes: Bytes;
  readonly requestedBytes: Bytes;
}

/** Blocks that held most of a piece at some time: each once, from the event on that gave it its size and place. */
export interface HolderTable {
  readonly holders: readonly Holder[];
  readonly numberOf: (slot: number, handle: Handle, requestedBytes: Bytes, assembled: Assembled) => number;
}

export function createHolderTable(births: Births): HolderTable {
  const holders: Holder[] = [];
  const numbers = new Map<number | string, number>();
  return {
    holders,
    numberOf(slot, handle, requestedBytes, { top }) {
      const event = births.eventOf(slot, handle);
      const address = top.addressOf(handle);
      const key = event >= 0 ? event : `${address} ${requestedBytes}`;
      const known = numbers.get(key);
      if (known !== undefined) return known;
      numbers.set(key, holders.length);
      return holders.push({ event, address, usableBytes: top.usableSize(handle), requestedBytes }) - 1;
    },
  };
}

/** As firstFrom, at once for granules that are there: most blocks lie in one, and most granules lie side by side. */
function placesOf(granules: Float64Array): (granule: number) => number {
  const lowest = granules[0] ?? 0;
  const table = new Int32Array(Math.min(TABLED, (granules.at(-1) ?? 0) - lowest + 1));
  for (let i = 0; i < granules.length && granules[i]! - lowest < table.length; i++)
    table[granules[i]! - lowest] = i + 1;
  return (granule) => {
    const place = table[granule - lowest];
    return place ? place - 1 : firstFrom(granules, granule);
  };
}

/** Who holds each of `granules`, which are ascending numbers of pieces of `granuleBytes`. */
export function readHolders(
  assembled: Assembled,
  granules: Float64Array,
  granuleBytes: Bytes,
  table: HolderTable,
): HolderCell[] {
  const { objects, top } = assembled;
  const begins = new Uint32Array(granules.length);
  const entered = new Uint8Array(granules.length);
  const most = new Float64Array(granules.length);
  const slots = new Int32Array(granules.length);
  const handles = new Float64Array(granules.length);
  const requested = new Float64Array(granules.length);
  const places = placesOf(granules);
  forEachLive(objects, (slot, handle, requestedBytes) => {
    const start = top.addressOf(handle);
    const end = start + Math.max(1, top.usableSize(handle));
    const first = Math.floor(start / granuleBytes);
    for (let i = places(first); i < granules.length; i++) {
      const from = granules[i]! * granuleBytes;
      if (from >= end) break;
      if (granules[i] === first) begins[i]!++;
      else entered[i] = 1;
      const bytes = Math.min(end, from + granuleBytes) - Math.max(start, from);
      if (bytes <= most[i]!) continue;
      most[i] = bytes;
      slots[i] = slot;
      handles[i] = handle;
      requested[i] = requestedBytes;
    }
  });
  return Array.from(granules, (_, i) => ({
    begins: begins[i]!,
    entered: entered[i] === 1,
    bytes: most[i]!,
    holder: most[i] === 0 ? -1 : table.numberOf(slots[i]!, handles[i]!, requested[i]!, assembled),
  }));
}

/** Two pieces as one, the lower first; `goesOn`: the upper one begins where the lower one ends. */
export function largerHolder(lower: HolderCell | undefined, upper: HolderCell, goesOn: boolean): HolderCell {
  if (!lower) return upper;
  const begins = lower.begins + upper.begins + (upper.entered && !goesOn ? 1 : 0);
  const { entered } = lower;
  if (lower.holder === upper.holder) return { begins, entered, holder: lower.holder, bytes: lower.bytes + upper.bytes };
  const { holder, bytes } = upper.bytes > lower.bytes ? upper : lower;
  return { begins, entered, holder, bytes };
}

/** What a page keeps of all cells, row by row. */
export function holdersOfCells(
  cells: readonly (HolderCell | undefined)[],
  columns: number,
  { holders }: HolderTable,
  who: Holders,
): Pick<HeatMap, 'held' | 'holders'> {
  const times = new Map<number, number>();
  for (const cell of cells) if (cell && cell.holder >= 0) times.set(cell.holder, (times.get(cell.holder) ?? 0) + 1);
  const listed = [...times]
    .sort(([x, m], [y, n]) => n - m || x - y)
    .slice(0, LISTED_MAX)
    .map(([number]) => number)
    .sort((x, y) => holders[x]!.address - holders[y]!.address || holders[x]!.event - holders[y]!.event);
  const places = new Map(listed.map((number, i) => [number, i + 1]));
  const out: number[] = [];
  const countIn = (cell: HolderCell | undefined) => (cell ? cell.begins + (cell.entered ? 1 : 0) : 0);
  const placeIn = (cell: HolderCell | undefined) => (cell ? (places.get(cell.holder) ?? 0) : 0);
  for (let from = 0; from < cells.length; ) {
    const rowEnd = (Math.floor(from / columns) + 1) * columns;
    const [count, place] = [countIn(cells[from]), placeIn(cells[from])];
    let to = from + 1;
    while (to < rowEnd && countIn(cells[to]) === count && placeIn(cells[to]) === place) to++;
    for (const number of [to - from, count, place]) pushVarint(out, number);
    from = to;
  }
  const chosen = listed.map((number) => holders[number]!);
  return {
    held: Buffer.from(out).toString('base64'),
    holders: {
      address: chosen.map((h) => h.address),
      usableBytes: chosen.map((h) => h.usableBytes),
      requestedBytes: chosen.map((h) => h.requestedBytes),
      ...blockNames(
        chosen.map((h) => h.event),
        who,
      ),
    },
  };
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  out.push(rest);
}
