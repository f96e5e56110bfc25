import { PAGE_BYTES } from '../contract/units.ts';

/** A placement file (trace-format.md) as columns, by rising event index. A failed allocation has address 0. */
export interface Placements {
  readonly length: number;
  readonly event: Int32Array;
  readonly address: Float64Array;
  readonly usable: Float64Array;
}

/** Reads `<event index> <address in hex> <usable size>` lines. */
export function parsePlacements(text: Uint8Array): Placements {
  let lines = 0;
  for (const byte of text) if (byte === NEWLINE) lines++;
  const columns = createPlacements(lines + 1);
  let at = 0;
  let length = 0;
  while (at < text.length) {
    let event = 0;
    let address = 0;
    let usable = 0;
    for (; text[at]! >= ZERO; at++) event = event * 10 + text[at]! - ZERO;
    for (at++; text[at]! >= ZERO; at++) address = address * 16 + hexDigit(text[at]!);
    for (at++; text[at]! >= ZERO; at++) usable = usable * 10 + text[at]! - ZERO;
    at++;
    columns.event[length] = event;
    columns.address[length] = address;
    columns.usable[length] = usable;
    length++;
  }
  return { ...columns, length };
}

export function createPlacements(capacity: number): Placements {
  return {
    length: 0,
    event: new Int32Array(capacity),
    address: new Float64Array(capacity),
    usable: new Float64Array(capacity),
  };
}

/** Takes the lines of a placement file one by one: as text they would need five times as much. */
export function collectPlacements(): { readonly add: (line: string) => void; readonly finish: () => Placements } {
  let columns = createPlacements(FIRST_PLACEMENTS);
  let length = 0;
  function grow(): void {
    const grown = createPlacements(2 * length);
    grown.event.set(columns.event);
    grown.address.set(columns.address);
    grown.usable.set(columns.usable);
    columns = grown;
  }
  return {
    add(line) {
      if (length === columns.event.length) grow();
      const first = line.indexOf(' ');
      const second = line.indexOf(' ', first + 1);
      columns.event[length] = Number(line.slice(0, first));
      columns.address[length] = Number.parseInt(line.slice(first + 1, second), 16);
      columns.usable[length] = Number(line.slice(second + 1));
      length++;
    },
    finish: () => ({ ...columns, length }),
  };
}

const FIRST_PLACEMENTS = 1024;
const NEWLINE = 10;
const ZERO = 48;
const LETTER_A = 97;
const hexDigit = (byte: number) => (byte >= LETTER_A ? byte - LETTER_A + 10 : byte - ZERO);

export type Disagreement =
  | 'only in the model'
  | 'only in the real one'
  | 'failed in one only'
  | 'offset in page'
  | 'usable size'
  | 'another page';

export interface Difference {
  readonly event: number;
  /** Undefined where the event agrees, but is not identical. */
  readonly reason: Disagreement | undefined;
  readonly model: readonly [address: number, usable: number] | undefined;
  readonly real: readonly [address: number, usable: number] | undefined;
}

export interface Comparison {
  /** Allocating events in either. */
  readonly total: number;
  readonly agree: number;
  readonly identical: number;
  readonly reasons: Readonly<Partial<Record<Disagreement, number>>>;
  /** The first events that are not identical. */
  readonly first: readonly Difference[];
}

/** The mmap area lies above, the brk heap below. */
const MMAP_AREA = 0x7000_0000_0000;

/**
 * Compares two placement files as trace-format.md says.
 *
 *   agree       free of absolute addresses: the same offset in the page, the same usable size, and pages that pair up
 *               one to one over all agreeing events so far
 *   identical   the very address in the mmap area, the same distance from the lowest block in the brk heap
 */
export function comparePlacements(model: Placements, real: Placements, show = 10): Comparison {
  const realPageOf = new Map<number, number>();
  const modelPageOf = new Map<number, number>();
  const modelHeap = heapStart(model);
  const realHeap = heapStart(real);
  const reasons: Partial<Record<Disagreement, number>> = {};
  const first: Difference[] = [];
  let total = 0;
  let agree = 0;
  let identical = 0;

  function pagesPair(modelPage: number, realPage: number): boolean {
    if ((realPageOf.get(modelPage) ?? realPage) !== realPage) return false;
    if ((modelPageOf.get(realPage) ?? modelPage) !== modelPage) return false;
    realPageOf.set(modelPage, realPage);
    modelPageOf.set(realPage, modelPage);
    return true;
  }

  function disagreement(x: number, xUsable: number, y: number, yUsable: number): Disagreement | undefined {
    if (x === 0 || y === 0) return x === y && xUsable === yUsable ? undefined : 'failed in one only';
    if (x % PAGE_BYTES !== y % PAGE_BYTES) return 'offset in page';
    if (xUsable !== yUsable) return 'usable size';
    return pagesPair(Math.floor(x / PAGE_BYTES), Math.floor(y / PAGE_BYTES)) ? undefined : 'another page';
  }

  for (let i = 0, j = 0; i < model.length || j < real.length; total++) {
    const modelEvent = i < model.length ? model.event[i]! : Infinity;
    const realEvent = j < real.length ? real.event[j]! : Infinity;
    const event = Math.min(modelEvent, realEvent);
    const inModel = modelEvent === event;
    const inReal = realEvent === event;
    const x = inModel ? model.address[i]! : 0;
    const y = inReal ? real.address[j]! : 0;
    const xUsable = inModel ? model.usable[i++]! : 0;
    const yUsable = inReal ? real.usable[j++]! : 0;
    const reason = !inModel
      ? 'only in the real one'
      : !inReal
        ? 'only in the model'
        : disagreement(x, xUsable, y, yUsable);
    const same = inModel && inReal && xUsable === yUsable && samePlace(x, modelHeap, y, realHeap);
    if (reason === undefined) agree++;
    else reasons[reason] = (reasons[reason] ?? 0) + 1;
    if (same) identical++;
    else if (first.length < show) {
      first.push({ event, reason, model: inModel ? [x, xUsable] : undefined, real: inReal ? [y, yUsable] : undefined });
    }
  }
  return { total, agree, identical, reasons, first };
}

function heapStart(placements: Placements): number {
  let start = MMAP_AREA;
  for (let i = 0; i < placements.length; i++) {
    const address = placements.address[i]!;
    if (address > 0 && address < start) start = address;
  }
  return start;
}

function samePlace(x: number, xHeap: number, y: number, yHeap: number): boolean {
  if (x === 0 || y === 0 || x >= MMAP_AREA || y >= MMAP_AREA) return x === y;
  return x - xHeap === y - yHeap;
}
