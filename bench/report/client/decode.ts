type PageData = import('../page-data.ts').PageData;
type RunData = import('../page-data.ts').RunData;
type SeriesName = import('../page-data.ts').SeriesName;

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
