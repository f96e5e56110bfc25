import { kernelParts, kernelTotal } from '../../machine/kernel/memory-parts.ts';
import { bytes, duration } from '../../sim/contract/format.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';
import { VERSION } from '../run/version.ts';
import { decimate } from './decimate.ts';
import { CLASSES, RUN_COLOURS } from './names.ts';
import type { MachineData, PageData, VerdictData } from './page-data.ts';

/** What the kernel of a machine says at a moment, by /proc/meminfo's names; what is not given counts as 0. */
export interface MachineSample {
  readonly ns: Ns;
  readonly meminfo: Readonly<Record<string, Bytes>>;
  /** Resident bytes of each process or pool, by name. */
  readonly processes?: Readonly<Record<string, Bytes>>;
  /** A moment that is no sample of its own. */
  readonly isBetween?: boolean;
}

export interface MachineReport {
  readonly title: string;
  readonly verdict: VerdictData;
  /** In the order of time. */
  readonly samples: readonly MachineSample[];
  /** MemAvailable at its lowest, where more is known than the samples. */
  readonly leastAvailableBytes?: Bytes;
  /** Further lines about the machine: what, and what of it. */
  readonly facts?: readonly (readonly [string, string])[];
  /** Groups with a limit, sample by sample. */
  readonly groups?: MachineData['groups'];
  /** Titled sentences and tables. */
  readonly sections?: MachineData['sections'];
  /** Kills, throttling, recycling. */
  readonly events?: readonly { readonly ns: Ns; readonly label: string }[];
}

/** Stretches of the time axis that the page can tell apart. */
const BUCKETS = 800;
const EVENTS_MAX = 400;
const PROCESSES_MAX = 12;

const of = ({ meminfo }: MachineSample, name: string): Bytes => meminfo[name] ?? 0;

/** From the bottom of the stack: what cannot be taken back first. Together with MemFree and the rest they are MemTotal. */
const PARTS: readonly (readonly [string, string, (sample: MachineSample) => Bytes])[] = [
  ['anonymous', 'heaps and stacks of the processes', (sample) => of(sample, 'AnonPages')],
  ['shared', 'shared anonymous memory and tmpfs: counted once', (sample) => of(sample, 'Shmem')],
  ['kernel', 'slab, page tables, stacks, vmalloc, per-CPU data', ({ meminfo }) => kernelTotal(kernelParts(meminfo))],
  // Cached counts shared memory too.
  ['files', 'page cache', (s) => Math.max(0, of(s, 'Cached') + of(s, 'Buffers') - of(s, 'Shmem'))],
];

/** The page of a machine: what its memory is over time, and what the kernel believes to be available. */
export function buildMachinePageData({
  title,
  verdict,
  samples,
  leastAvailableBytes,
  events = [],
  facts = [],
  sections = [],
  groups = [],
}: MachineReport): PageData {
  const columns = PARTS.map(([, , amount]) => samples.map(amount));
  const available = samples.map((s) => of(s, 'MemAvailable'));
  const names = largestProcesses(samples);
  const processes = names.map((name) => samples.map((s) => s.processes?.[name] ?? 0));
  const ns = samples.map((s) => s.ns);
  const rows = decimate(
    ns,
    [
      ...columns,
      available,
      ...processes,
      ...groups.flatMap(({ currentBytes, firmBytes }) => [currentBytes, firmBytes]),
    ],
    BUCKETS,
  );
  const drawn = (values: readonly number[]) => rows.map((i) => values[i]!);
  const machine: MachineData = {
    totalBytes: samples[0] ? of(samples[0], 'MemTotal') : 0,
    ns: drawn(ns),
    parts: PARTS.map(([name, about], i) => ({
      name,
      about,
      light: RUN_COLOURS[i]!.light,
      dark: RUN_COLOURS[i]!.dark,
      bytes: drawn(columns[i]!),
    })),
    availableBytes: drawn(available),
    processCount: processCount(samples),
    processes: names.map((name, i) => ({ name, bytes: drawn(processes[i]!) })),
    groups: groups.map(({ name, maxBytes, currentBytes, firmBytes }) => ({
      name,
      maxBytes,
      currentBytes: drawn(currentBytes),
      firmBytes: drawn(firmBytes),
    })),
    events: events.slice(0, EVENTS_MAX),
    sections: sections.map(({ title, parts }) => ({ title, parts })),
    facts: [
      [
        'samples',
        `${samples.filter(({ isBetween }) => !isBetween).length}, over ${longDuration((ns.at(-1) ?? 0) - (ns[0] ?? 0))}`,
      ],
      ['memory', bytes(samples[0] ? of(samples[0], 'MemTotal') : 0)],
      [
        'available',
        samples.length > 0
          ? `${bytes(leastAvailableBytes ?? available.reduce((x, y) => Math.min(x, y)))} at least, ${bytes(available.at(-1)!)} at the end`
          : '-',
      ],
      ...facts,
    ],
  };
  return {
    title,
    version: VERSION,
    classes: CLASSES.map(({ key, name, about, light, dark }) => ({ key, name, about, light, dark })),
    runColours: RUN_COLOURS,
    addresses: { upperFrom: 0, lowerShift: 0, upperShift: 0 },
    histograms: null,
    runs: [],
    metrics: [],
    differences: [verdict],
    machine,
  };
}

const HOUR_NS = 3.6e12;
const longDuration = (ns: Ns): string => (ns >= HOUR_NS ? `${Number((ns / HOUR_NS).toFixed(1))} h` : duration(ns));

const processCount = (samples: readonly MachineSample[]) =>
  new Set(samples.flatMap(({ processes = {} }) => Object.keys(processes))).size;

/** www-2 before www-10, in any country. */
const BY_NAME = new Intl.Collator('en', { numeric: true });

function largestProcesses(samples: readonly MachineSample[]): string[] {
  const most = new Map<string, number>();
  for (const { processes = {} } of samples) {
    for (const [name, resident] of Object.entries(processes)) most.set(name, Math.max(most.get(name) ?? 0, resident));
  }
  return [...most]
    .sort(([a, x], [b, y]) => y - x || BY_NAME.compare(a, b))
    .slice(0, PROCESSES_MAX)
    .map(([name]) => name);
}
