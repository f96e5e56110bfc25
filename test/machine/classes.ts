/**
 * What a simulated machine is held to, figure by figure, against a real kernel's answers.
 *
 * - exact: equal in every sample.
 * - constant: within so many kB (or pages, or bytes), always.
 * - band: within a part of the truth, or within a floor where the truth is small.
 *
 * Where a figure is exact only under a condition, `unless` names the condition and what it is then.
 */
export type Condition =
  /** Reclaim has begun (pgscan > 0) and the region holds, or held before, lazily freed pages: how many are left is a band. */
  | 'lazyfree under reclaim'
  /** The group has met its limit, or the machine has begun to reclaim: how much cache it keeps is a band. */
  | 'group under reclaim'
  /** A group has met its limit: it holds fewer or more pages by as many as its kernel memory is off (a constant), or as it still waits. */
  | 'group at its limit'
  /** A group with a limit writes to the disk: how long it waits depends on when the flusher runs. */
  | 'limited group writes'
  /** Another group at its limit keeps pages of disks' files: as many more or fewer as one call of reclaim takes, which whoever reads them next has. */
  | 'files of a limited group'
  /** The group wrote a disk's file: ext4's own pages (maps, inode tables, journal) are counted with its cache. */
  | 'group wrote a disk'
  /** More was made dirty than a flusher lets be: which pages of a shared mapping of a disk's file it has written by now is a band. */
  | 'flusher'
  /** Reclaim has begun and there is swap: whose pages are in it is a band. */
  | 'swapping'
  /** Huge pages while memory is short depend on what is free in one piece. */
  | 'huge pages under reclaim'
  /** Killed and being torn down. */
  | 'victim'
  /** Reclaim has begun: how far free memory is between the marks is a band. */
  | 'reclaim'
  /** The script makes files, names, descriptors or sockets, or writes to the disk: what their caches keep is not exact. */
  | 'kernel objects';

export type Tolerance =
  | { readonly kind: 'exact' }
  | { readonly kind: 'constant'; readonly below: number; readonly above: number }
  | { readonly kind: 'band'; readonly part: number; readonly floor: number }
  /** Not held: a matter of which of two threads ran first. */
  | { readonly kind: 'free' };

export const EXACT: Tolerance = { kind: 'exact' };
const constant = (below: number, above = below): Tolerance => ({ kind: 'constant', below, above });
const band = (part: number, floor: number): Tolerance => ({ kind: 'band', part, floor });

export interface FigureClass {
  readonly tolerance: Tolerance;
  readonly unless?: readonly (readonly [Condition, Tolerance])[];
}

const LAZY: readonly [Condition, Tolerance] = ['lazyfree under reclaim', band(0.25, 4096)];
const FLUSHER: readonly [Condition, Tolerance] = ['flusher', band(0.25, 8192)];
/** As many bytes as its kernel memory may be off where forks and exits crowd: three pages. */
const AT_LIMIT = (bytes: number): readonly [Condition, Tolerance] => ['group at its limit', constant(bytes)];
/** Which pages of a disk's file its group keeps. */
const CACHE_OF_GROUP: readonly [Condition, Tolerance] = ['group under reclaim', band(0.1, 256)];
/** Its shared memory and what it was promised go at its end, which ticks decide. */
const VICTIM: readonly [Condition, Tolerance] = ['victim', { kind: 'free' }];
const SWAPPING: readonly [Condition, Tolerance] = ['swapping', band(0.25, 8192)];
const HUGE: readonly [Condition, Tolerance] = ['huge pages under reclaim', band(0.5, 65536)];
const figure = (tolerance: Tolerance, ...unless: (readonly [Condition, Tolerance])[]): FigureClass => ({
  tolerance,
  unless,
});

/** Of a step: what was asked and answered. Faults are exact of touch, mlock, populate; of other commands they are the program's own. */
export const STEP: Readonly<Record<string, FigureClass>> = {
  state: figure(EXACT),
  err: figure(EXACT),
  ret: figure(EXACT),
  minflt: figure(
    EXACT,
    ['lazyfree under reclaim', band(0.25, 1024)],
    ['huge pages under reclaim', { kind: 'free' }],
    ['flusher', constant(32)],
    ['swapping', band(0.25, 1024)],
    ['group under reclaim', band(0.1, 16)],
  ),
  majflt: figure(EXACT, ['swapping', band(0.25, 1024)], ['group under reclaim', band(0.1, 16)]),
};

/** How long a write to a disk's file takes, in microseconds: who makes too much dirty is held up, and shares the processor with the flusher. */
export const WRITE_TIME: FigureClass = figure(band(0.3, 10_000), ['limited group writes', band(0.4, 20_000)]);

/** How long names take that are made or looked at: how full the block of a directory is that is gone through is not modelled. */
export const NAME_TIME: FigureClass = figure(band(0.3, 1000));

const WRITTEN_BY_FLUSHER = ['Pss_Dirty', 'Shared_Clean', 'Shared_Dirty', 'Private_Clean', 'Private_Dirty'];
/** Of a mapping in smaps, in kB. */
export const REGION: Readonly<Record<string, FigureClass>> = Object.fromEntries(
  [
    'Size',
    'Rss',
    'Pss',
    'Pss_Dirty',
    'Shared_Clean',
    'Shared_Dirty',
    'Private_Clean',
    'Private_Dirty',
    'Referenced',
    'Anonymous',
    'LazyFree',
    'Swap',
    'AnonHugePages',
    'ShmemPmdMapped',
    'FilePmdMapped',
    'Locked',
    'THPeligible',
  ].map((name) => [
    name,
    name === 'AnonHugePages'
      ? figure(EXACT, HUGE)
      : WRITTEN_BY_FLUSHER.includes(name)
        ? figure(EXACT, LAZY, FLUSHER, SWAPPING, CACHE_OF_GROUP)
        : figure(EXACT, LAZY, SWAPPING, CACHE_OF_GROUP),
  ]),
);

/** Of a process: growth since its first sample (exact), and totals that hold the program's own pages (kB). */
export const PROCESS_GROWTH: Readonly<Record<string, FigureClass>> = {
  VmSize: figure(EXACT),
  VmPTE: figure(EXACT),
};
export const PROCESS: Readonly<Record<string, FigureClass>> = {
  Rss: figure(constant(32), LAZY, SWAPPING, CACHE_OF_GROUP),
  Pss: figure(constant(32), LAZY, SWAPPING, CACHE_OF_GROUP),
  /** The lag of counters kept by the task: up to 63 faults of 16 pages. */
  VmRSS: figure(constant(4032), LAZY, SWAPPING),
};

/** Of the machine, in kB; Committed_AS as growth since the first sample. */
export const MACHINE: Readonly<Record<string, FigureClass>> = {
  Shmem: figure(EXACT, VICTIM, SWAPPING),
  AnonHugePages: figure(EXACT, HUGE),
  CommitLimit: figure(EXACT),
  MemTotal: figure(constant(4)),
  Unevictable: figure(constant(64)),
  PageTables: figure(constant(40), VICTIM),
  KernelStack: figure(constant(64)),
  Percpu: figure(EXACT),
  Slab: figure(constant(256), ['kernel objects', band(0.12, 1536)], ['swapping', constant(1024)]),
};

/**
 * MemFree with the pages on the lists of the processors, and with Slab, page tables, stacks and vmalloc, which are compared by themselves
 * (partly used slabs come and go with some hundred kB), in kB. 6.1 stays within 176; 6.12's start is up to 232 too low.
 */
export const FREE_AND_LISTS: FigureClass = figure(
  constant(240, 176),
  VICTIM,
  ['reclaim', band(0.5, 2048)],
  ['kernel objects', constant(3072)],
  // As much as is in swap.
  ['swapping', constant(1024)],
);

/** What reclaim did, in pages, and how long it held things up, in microseconds; both sides of the machine summed. */
export const RECLAIM: Readonly<Record<string, FigureClass>> = {
  pgscan: figure(band(0.25, 2048)),
  pgsteal: figure(band(0.25, 2048)),
  workingset_refault_file: figure(band(0.1, 1024)),
  some: figure(
    band(0.2, 25000),
    ['limited group writes', band(0.35, 25000)],
    // z_thppress with the other disk: 59 ms for 204.
    ['huge pages under reclaim', band(0.35, 25000)],
  ),
};
/** Pages of disks' files made dirty and written: to a flusher's chunk, and some that it wrote before they were made dirty again. */
export const WRITEBACK: Readonly<Record<string, FigureClass>> = {
  nr_dirtied: figure(band(0.05, 512)),
  nr_written: figure(band(0.1, 2560)),
};
export const MACHINE_GROWTH: Readonly<Record<string, FigureClass>> = {
  Committed_AS: figure(EXACT, VICTIM),
};

/** thp_* counts, exact without pressure. */
export const THP_EVENTS: FigureClass = figure(EXACT, ['huge pages under reclaim', band(0.2, 32)]);

/** Ranges that khugepaged gave up: they count how often it came by, which hangs on when its timer was set. */
export const THP_SCANS: FigureClass = figure(band(0.02, 2));

/** memory.stat is brought up to date once 64 pages have changed on a processor, twice (memcg_rstat_updated). */
const FILE_LAG = 65536 + 64 * 4096;

/** How long a group's tasks waited for memory, in microseconds. */
export const GROUP_PRESSURE: FigureClass = figure(
  band(0.2, 25000),
  ['limited group writes', band(0.35, 25000)],
  ['swapping', band(0.35, 25000)],
);

/** Pages of a generation of one kind: what waits in the processor's batches, and the program's own pages. */
export const GENERATION: FigureClass = figure(constant(40));

/** Of a group, in bytes. */
export const GROUP: Readonly<Record<string, FigureClass>> = {
  anon: figure(
    EXACT,
    ['swapping', band(0.25, 8 * 1048576)],
    // The README's "a few MB".
    ['lazyfree under reclaim', constant(4 * 1048576)],
    AT_LIMIT(12288),
  ),
  shmem: figure(EXACT, VICTIM, ['swapping', band(0.25, 8 * 1048576)]),
  file: figure(
    EXACT,
    VICTIM,
    ['group under reclaim', band(0.1, 4 * 1048576)],
    ['files of a limited group', constant(64 * 4096, FILE_LAG)],
    ['group wrote a disk', constant(65536, FILE_LAG)],
  ),
};
/** Events and pages of memory.stat that hang on swap: in bytes and as counts. */
export const GROUP_SWAP: Readonly<Record<string, FigureClass>> = {
  swapcached: figure(EXACT, ['swapping', band(0.25, 8 * 1048576)]),
  pgmajfault: figure(EXACT, ['swapping', band(0.25, 1024)], ['group under reclaim', band(0.1, 16)]),
};

/** Of each process that is killed and not gone: what it unmaps before it frees it (tlb_next_batch). */
const BATCH_OF_VICTIM = (19 * 510 + 8) * 4096;
export const withVictims = (count: number): FigureClass => figure(constant(count * BATCH_OF_VICTIM));

/** memory.current against anon + file + kernel of the truth: charges come in batches. */
export const GROUP_CURRENT: FigureClass = figure(constant(393216), ['group under reclaim', band(0.1, 4 * 1048576)]);
