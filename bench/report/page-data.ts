/** Everything that the report's page shows, as plain data; the page's own scripts import these types and nothing else. */
export interface PageData {
  readonly title: string;
  readonly version: string;
  /** Sizes and lifetimes of the workload; null where a result came without its events. */
  readonly histograms: {
    readonly sizes: readonly number[];
    readonly sizeBytes: readonly number[];
    readonly lifetimeEvents: readonly number[];
    readonly lifetimeNs: readonly number[];
    readonly neverFreed: number;
  } | null;
  readonly runs: readonly RunData[];
  /** A row a metric, a cell a run. */
  readonly metrics: readonly MetricRow[];
}

export interface MetricRow {
  readonly name: string;
  readonly about: string;
  readonly cells: readonly { readonly text: string; readonly mark: 'best' | 'worst' | null }[];
}

export interface RunData {
  readonly name: string;
  /** Options and machine, as name and value. */
  readonly facts: readonly (readonly [string, string])[];
  readonly rssPeakBytes: number;
  readonly series: SeriesData;
  readonly heat: HeatMap | null;
  readonly locks: readonly LockRow[];
  readonly waits: WaitData | null;
  readonly notModelled: readonly string[];
  /** What `explain` says, where it was asked. */
  readonly verdict: readonly string[];
}

export const SERIES = [
  'rssBytes',
  'vszBytes',
  'requestedBytes',
  'requested',
  'slack',
  'metadata',
  'cached',
  'pinned',
  'returnable',
] as const;
export type SeriesName = (typeof SERIES)[number];

/** Columns over the samples that are drawn; all but `event` and `ns` are differences from row to row. */
export interface SeriesData {
  readonly count: number;
  /** Samples before decimation. */
  readonly sampleCount: number;
  readonly event: readonly number[];
  readonly ns: readonly number[];
  readonly columns: Readonly<Record<SeriesName, readonly number[]>>;
  /** Sample points that the trace names. */
  readonly marks: readonly { readonly row: number; readonly label: string }[];
}

export interface HeatMap {
  readonly events: readonly number[];
  readonly rows: readonly { readonly address: string; readonly name: string }[];
  readonly rowBytes: number;
  /** rows × columns bytes, base64: residency << 4 | occupancy of what is resident, 0 to 15 each. */
  readonly cells: string;
}

export interface LockRow {
  readonly name: string;
  readonly acquisitions: number;
  readonly contended: number;
  readonly waitNs: number;
  readonly p99Ns: number;
  readonly maxNs: number;
  readonly holdNs: number;
}

export interface WaitData {
  readonly widthNs: number;
  readonly causes: readonly { readonly name: string; readonly ns: readonly number[] }[];
}
