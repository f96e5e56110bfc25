import type { Bytes } from '../../sim/contract/units.ts';
import type { Breakdown, Sample } from '../../sim/metrics/sample.ts';

/** The classes of the breakdown, and of what is returnable by its pages the part that slabs and chunks keep. */
export type ClassKey = keyof Breakdown | 'withinSlabs';

type Classed = Pick<Sample, 'breakdown' | 'withinSlabsBytes'>;

/** Resident bytes of a class as it is shown; over all classes they add up to `rssBytes`. */
export function classBytes({ breakdown, withinSlabsBytes }: Classed, key: ClassKey): Bytes {
  if (key === 'withinSlabs') return withinSlabsBytes;
  return key === 'returnable' ? breakdown.returnable - withinSlabsBytes : breakdown[key];
}

/** A class of resident bytes as a page or a picture calls it; colours that keep 3 : 1 against their background. */
export interface ClassName {
  readonly key: ClassKey;
  readonly name: string;
  readonly about: string;
  /** As the end of a sentence that begins with a size: `17.5 MiB are …`. */
  readonly phrase: string;
  readonly light: string;
  readonly dark: string;
}

/** From the bottom of a stack to its top. */
export const CLASSES: readonly ClassName[] = [
  {
    key: 'requested',
    name: 'Requested',
    about: 'asked for by the program and not freed yet',
    phrase: 'requested memory (blocks that the program holds)',
    light: '#0068a8',
    dark: '#4da3e0',
  },
  {
    key: 'slack',
    name: 'Slack',
    about: 'in the same blocks, beyond what was asked for',
    phrase: 'slack (in the same blocks, beyond what was asked for)',
    light: '#3f94c4',
    dark: '#a6d4f5',
  },
  {
    key: 'metadata',
    name: 'Metadata',
    about: 'headers and tables of the allocator',
    phrase: 'metadata (headers and tables of the allocator)',
    light: '#7a5aa8',
    dark: '#b79be0',
  },
  {
    key: 'cached',
    name: 'Cached',
    about: 'free, in caches of threads or of the allocator',
    phrase: 'cached memory (free, in caches of threads or of the allocator)',
    light: '#00855f',
    dark: '#3ec49b',
  },
  {
    key: 'pinned',
    name: 'Pinned',
    about: 'free, on pages that something else keeps: a live block, a cached one, metadata',
    phrase: 'pinned memory (free, on pages that something else keeps)',
    light: '#c44a00',
    dark: '#f0803c',
  },
  {
    key: 'withinSlabs',
    name: 'In slabs or chunks',
    about: 'free pages of slabs (jemalloc) and chunks (Zend) that hold something else: given back only with the whole',
    phrase: 'free pages of slabs (jemalloc) or chunks (Zend) that hold something else',
    light: '#a3392f',
    dark: '#e8837a',
  },
  {
    key: 'returnable',
    name: 'Returnable',
    about: 'free, on pages that hold nothing else: the allocator could give them back',
    phrase: 'returnable memory (free, on whole pages that hold nothing else)',
    light: '#b07600',
    dark: '#e6b03c',
  },
];

/** An allocator without slabs has no class of theirs. */
export const isShown = (key: ClassKey, { withinSlabsBytes }: Pick<Classed, 'withinSlabsBytes'>): boolean =>
  key !== 'withinSlabs' || withinSlabsBytes > 0;

export function shownClasses(samples: readonly Classed[]): readonly ClassName[] {
  const withinSlabsBytes = samples.reduce((most, sample) => Math.max(most, sample.withinSlabsBytes), 0);
  return CLASSES.filter(({ key }) => isShown(key, { withinSlabsBytes }));
}

/** The class's name in the texts of one run, as in the JSON; Zend has chunks where jemalloc has slabs. */
export function className(key: ClassKey, allocator: string): string {
  if (key !== 'withinSlabs') return key;
  return allocator.startsWith('zendmm') ? 'in chunks' : 'in slabs';
}

/** Colours of runs and of causes of waiting. */
export const RUN_COLOURS: readonly { readonly light: string; readonly dark: string }[] = [
  { light: '#0068a8', dark: '#4da3e0' },
  { light: '#c44a00', dark: '#f0803c' },
  { light: '#00855f', dark: '#3ec49b' },
  { light: '#b0508a', dark: '#e39ac6' },
  { light: '#b07600', dark: '#e6b03c' },
  { light: '#3f94c4', dark: '#a6d4f5' },
  { light: '#7a5aa8', dark: '#b79be0' },
  { light: '#6b6b6b', dark: '#a8a8a8' },
];

const METRIC_TITLES: Readonly<Record<string, string>> = {
  rssPeakBytes: 'Resident, at most',
  rssBytes: 'Resident, at the end',
  retainedBytes: 'Resident beyond what was requested',
  vszPeakBytes: 'Address space, at most',
  pinnedBytes: 'Pinned, at the end',
  returnableBytes: 'Returnable, at the end',
  withinSlabsBytes: 'Of these, in slabs or chunks, at the end',
  metadataBytes: 'Metadata, at the end',
  blowup: 'Peak resident per byte asked for at peak',
  faults: 'Page faults',
  syscalls: 'Memory system calls',
  futexCalls: 'Futex calls',
  lockWaitNs: 'Waiting for locks, all threads',
  virtualNs: 'Length of the run',
  cpuNs: 'Work of all threads',
  mallocP99Ns: 'Allocation, 99th percentile',
  freeP99Ns: 'Free, 99th percentile',
  failedAllocations: 'Allocations that failed',
  engineEventsPerSecond: 'Speed of the simulator itself',
};

/** A metric for people; one without a name of its own keeps its words: `ownBytes` → `Own bytes`. */
export function metricTitle(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, (_, x: string, y: string) => `${x} ${y.toLowerCase()}`);
  return METRIC_TITLES[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}
