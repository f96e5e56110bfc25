/** Everything that the report's page shows, as plain data; the page's own scripts import these types and nothing else. */
export interface PageData {
  readonly title: string;
  readonly version: string;
  /** In the order in which they are stacked, the lowest first. */
  readonly classes: readonly ClassData[];
  readonly runColours: readonly { readonly light: string; readonly dark: string }[];
  /** A real process's addresses are those of cells and blocks and the shift of the lower or the upper half. */
  readonly addresses: { readonly upperFrom: number; readonly lowerShift: number; readonly upperShift: number };
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
  /** Each run but the first against the first; empty for a single one. */
  readonly differences: readonly VerdictData[];
  /** Of a machine: then there are no runs, and the verdict is the only one of `differences`. */
  readonly machine: MachineData | null;
}

/** The memory of a whole machine over time. */
export interface MachineData {
  readonly totalBytes: number;
  readonly ns: readonly number[];
  /** In the order in which they are stacked. */
  readonly parts: readonly {
    readonly name: string;
    readonly about: string;
    readonly light: string;
    readonly dark: string;
    readonly bytes: readonly number[];
  }[];
  readonly availableBytes: readonly number[];
  /** Of so many processes the largest are in `processes`, largest first. */
  readonly processCount: number;
  readonly processes: readonly { readonly name: string; readonly bytes: readonly number[] }[];
  /** Those with a memory.max: memory.current, and without its page cache. */
  readonly groups: readonly {
    readonly name: string;
    readonly maxBytes: number;
    readonly currentBytes: readonly number[];
    readonly firmBytes: readonly number[];
  }[];
  readonly events: readonly { readonly ns: number; readonly label: string }[];
  readonly sections: readonly {
    readonly title: string;
    /** A sentence, or a table of which `align` says for each column whether it is l or r, the last letter for all beyond. */
    readonly parts: readonly (
      | string
      | {
          readonly head: readonly string[];
          readonly rows: readonly (readonly string[])[];
          readonly align: string;
        }
    )[];
  }[];
  readonly facts: readonly (readonly [string, string])[];
}

export interface ClassData {
  readonly key: SeriesName;
  readonly name: string;
  readonly about: string;
  readonly light: string;
  readonly dark: string;
}

export interface MetricRow {
  readonly title: string;
  /** As in JSON and thresholds. */
  readonly name: string;
  readonly about: string;
  readonly cells: readonly { readonly text: string; readonly mark: 'best' | 'worst' | null }[];
}

export interface VerdictData {
  readonly headline: string;
  readonly sentences: readonly string[];
  /** Further sentences, each with what it is about. */
  readonly points?: readonly { readonly about: string; readonly text: string }[];
  /** Whether the headline is good news or bad; left out where it is neither. */
  readonly mark?: 'good' | 'bad';
}

export interface RunData {
  readonly name: string;
  /** Options and machine, as name and value. */
  readonly facts: readonly (readonly [string, string])[];
  readonly rssPeakBytes: number;
  readonly rssBytes: number;
  /** What `explain` judges, where it is not the end. */
  readonly judged: JudgedData | null;
  readonly mode: 'lockstep' | 'virtual' | 'threads';
  readonly verdict: VerdictData;
  /** What `explain` says beyond that, where it was asked. */
  readonly explanation: readonly string[];
  /** What that rests on: folded until somebody asks. */
  readonly why: readonly string[];
  readonly series: SeriesData;
  readonly heat: HeatMap | null;
  readonly moments: readonly MomentData[];
  readonly locks: readonly LockRow[];
  readonly waits: WaitData | null;
  readonly notModelled: readonly string[];
  /** Markup of a picture by call site, made by this program; null without call sites. */
  readonly sites: string | null;
}

/** The moment that a verdict is about. */
export interface JudgedData {
  readonly event: number;
  readonly ns: number;
  readonly rssBytes: number;
  /** As `classes` of the page. */
  readonly classBytes: readonly number[];
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
  'withinSlabs',
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

/** The address space over time. */
export interface HeatMap {
  /** Where each column begins, on either axis; the last one is the end of the run. */
  readonly events: readonly number[];
  readonly ns: readonly number[];
  readonly rows: readonly { readonly address: string; readonly name: string }[];
  /** Rows that belong together: `arena heap`, of so many areas. */
  readonly groups: readonly {
    readonly name: string;
    readonly from: number;
    readonly rows: number;
    readonly areas: number;
  }[];
  readonly rowBytes: number;
  /** rows × columns bytes, base64: residency << 4 | what of the resident bytes is not free, 0 to 15 each. */
  readonly cells: string;
  /**
   * Who holds each cell, base64: row by row runs of equal cells, each three numbers (as varints of seven bits, the lowest first): its
   * length, the number of live blocks, and 1 + the position in `holders` of the one with most bytes there, 0 where none is listed. Empty
   * where a page has too many runs to tell.
   */
  readonly held: string;
  readonly holders: HolderColumns;
}

/** Blocks that hold most of a cell of the map somewhere, as columns. */
export interface HolderColumns extends BlockNames {
  readonly address: readonly number[];
  readonly usableBytes: readonly number[];
  readonly requestedBytes: readonly number[];
}

/** All that is resident at one moment, place by place and page by page. */
export interface MomentData {
  /** `at the end`, `at the peak`, `just behind the peak`. */
  readonly label: string;
  readonly event: number;
  readonly ns: number;
  readonly rssBytes: number;
  /** Largest first. */
  readonly places: readonly PlaceData[];
  /** A cell of `cells` stands for so many bytes. */
  readonly cellBytes: number;
  readonly blocks: BlockColumns;
  /** The heaps, slabs, mappings with a resident page, by address; empty columns where they are too many. */
  readonly areas: AreaColumns;
  /** Whose blocks were the last ones where memory is free; null where nobody looked. */
  readonly freed: FreedColumns | null;
  /** Where the blocks were too many to list, those on pages with the least free memory are left out. */
  readonly blocksLeftOut: number;
}

export interface AreaColumns {
  /** In bytes from the one before. */
  readonly start: readonly number[];
  readonly bytes: readonly number[];
  readonly name: readonly number[];
  readonly names: readonly string[];
  /** Live blocks that begin in it, and the end of the last one, in bytes from its start. */
  readonly live: readonly number[];
  readonly liveEnd: readonly number[];
  /** Where its free end begins, from its start: its length where none is resident. */
  readonly endStart: readonly number[];
  /** Whose these are, as a number of `threadTexts`. */
  readonly threads: readonly number[];
  readonly threadTexts: readonly string[];
  /** Why a free page of it stays, as a number of `rules`. */
  readonly rule: readonly number[];
  readonly rules: readonly { readonly end: string; readonly within: string }[];
}

/** Runs of pages whose last freed block was the same; of its columns those of BlockNames are of the allocation. */
export interface FreedColumns extends BlockNames {
  /** The first page of a run, counted from that of the run before, and its pages. */
  readonly page: readonly number[];
  readonly length: readonly number[];
  /** The event that freed it, and that event's thread; -1 where they are not told: there are too many. */
  readonly freedAt: readonly number[];
  readonly freedBy: readonly number[];
}

export interface PlaceData {
  readonly name: string;
  /** Heaps, slabs, mappings of this name. */
  readonly areas: number;
  readonly residentBytes: number;
  /** As `classes` of the page. */
  readonly classBytes: readonly number[];
  readonly liveBlocks: number;
  readonly cells: CellColumns;
}

/** Runs of equal cells, each behind the one before it; what is said of one cell holds for all of its run. */
export interface CellColumns {
  /** The first page of a run, counted from that of the run before. */
  readonly at: readonly number[];
  /** Cells in the run. */
  readonly length: readonly number[];
  /** Pages from the first of a cell to its last: more than a cell has where others lie between. */
  readonly span: readonly number[];
  /** By class. */
  readonly bytes: readonly (readonly number[])[];
  /** Live blocks on its fullest page, and the first of the cell's in `blocks`, -1 where none is listed. */
  readonly live: readonly number[];
  readonly block: readonly number[];
}

/** Who allocated each of a list of blocks, as columns; what is not known of one is -1, what is known of none an empty column. */
export interface BlockNames {
  readonly event: readonly number[];
  readonly ns: readonly number[];
  readonly thread: readonly number[];
  readonly site: readonly number[];
  /** What the numbers of `site` stand for. */
  readonly siteNames: readonly string[];
}

/** Live blocks, as columns. */
export interface BlockColumns extends BlockNames {
  /** In bytes from the one before. */
  readonly address: readonly number[];
  readonly usableBytes: readonly number[];
  readonly requestedBytes: readonly number[];
  /** Free bytes that would be on pages of their own, were the block freed too. */
  readonly pinsBytes: readonly number[];
  /** Free resident bytes between the block and its live neighbours, or the ends of its area. */
  readonly freeBelowBytes: readonly number[];
  readonly freeAboveBytes: readonly number[];
  /** Number of its area in `areaNames`; -1 where it lies in none. */
  readonly area: readonly number[];
  readonly areaNames: readonly string[];
  /** Of the live blocks of its area it is 1 the last one, 2 the only one, 0 neither. */
  readonly rank: readonly number[];
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
