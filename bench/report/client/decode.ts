type PageData = import('../page-data.ts').PageData;
type RunData = import('../page-data.ts').RunData;
type SeriesName = import('../page-data.ts').SeriesName;
type ClassData = import('../page-data.ts').ClassData;
type VerdictData = import('../page-data.ts').VerdictData;
type MomentData = import('../page-data.ts').MomentData;
type PlaceData = import('../page-data.ts').PlaceData;

/** A run's curves with the differences summed up again. */
interface Curves {
  readonly event: number[];
  readonly ns: number[];
  readonly columns: Readonly<Record<SeriesName, number[]>>;
}

function readData(): PageData {
  return JSON.parse(document.getElementById('data')!.textContent!);
}

function summed(deltas: readonly number[]): number[] {
  let value = 0;
  return deltas.map((delta) => (value += delta));
}

function decodeCurves(run: RunData): Curves {
  const { event, ns, columns } = run.series;
  return {
    event: summed(event),
    ns: summed(ns),
    columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, summed(values)])) as Record<
      SeriesName,
      number[]
    >,
  };
}

function decodeCells(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/**
 * The curves over time, or over events: threads at their own pace do not reach the samples in file order. They begin
 * with nothing at 0, as the program did.
 */
function orderedBy(curves: Curves, key: 'event' | 'ns'): Curves {
  const x = curves[key];
  const order = x.map((_, i) => i).sort((i, j) => x[i]! - x[j]! || i - j);
  const fromZero = order.length > 0 && x[order[0]!]! > 0;
  const pick = (values: readonly number[]) => [...(fromZero ? [0] : []), ...order.map((i) => values[i]!)];
  return {
    event: pick(curves.event),
    ns: pick(curves.ns),
    columns: Object.fromEntries(Object.entries(curves.columns).map(([name, values]) => [name, pick(values)])) as Record<
      SeriesName,
      number[]
    >,
  };
}

/** One square of a place's pages. */
interface Cell {
  /** Number of its first page in the address space. */
  readonly page: number;
  /** Position of its run in the place's columns. */
  readonly run: number;
}

const PAGE_BYTES = 4096;

function decodePlaceCells(place: PlaceData, cellBytes: number): Cell[] {
  const cells: Cell[] = [];
  let at = 0;
  place.cells.at.forEach((delta, run) => {
    at += delta;
    for (let i = 0; i < place.cells.length[run]!; i++) cells.push({ page: at + (i * cellBytes) / PAGE_BYTES, run });
  });
  return cells;
}

/** Of each cell of the map, row by row: its live blocks, and 1 + the position of the listed one that holds most of it. */
interface HeldCells {
  readonly count: Int32Array;
  readonly holder: Int32Array;
}

function decodeHeld(base64: string, cells: number): HeldCells {
  const bytes = decodeCells(base64);
  const count = new Int32Array(cells);
  const holder = new Int32Array(cells);
  let at = 0;
  const next = () => {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  for (let from = 0; at < bytes.length; ) {
    const to = from + next();
    count.fill(next(), from, to);
    holder.fill(next(), from, to);
    from = to;
  }
  return { count, holder };
}
