import type { Kernel } from '../../kernel/kernel.ts';
import type { MemCgroup } from '../../kernel/mem-cgroup.ts';
import { meminfo } from '../../kernel/meminfo.ts';
import { type AddressSpace, MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from '../../kernel/mm-types.ts';
import { swappedPages } from '../../kernel/shmem.ts';
import { smapsOf, smapsRollup } from '../../kernel/smaps.ts';
import { pcpCount } from '../../kernel/zone.ts';
import { type MachineRun, REGION_STRIDE, REGIONS_START, type ScriptProcess } from '../../script/machine-run.ts';
import { memoryStat } from '../../script/sample.ts';
import { type HeapFacts, heapFactsOf } from './heap-facts.ts';

/** Counters that cost nothing to read, of a process; kB. */
export interface ProcessReading {
  readonly name: string;
  readonly pid: number;
  readonly anonKb: number;
  readonly fileKb: number;
  readonly shmemKb: number;
  readonly swapKb: number;
  readonly vszKb: number;
  readonly faults: number;
  /** Descriptors, and the kernel's memory behind them in bytes: files, pipes, sockets and what is queued in them. */
  readonly fds: number;
  readonly sockets: number;
  readonly fdBytes: number;
  /** Of these, whole pages: they are in no line of meminfo. */
  readonly fdPageBytes: number;
}

/** The machine after a command. */
export interface Reading {
  readonly step: number;
  readonly atUs: number;
  readonly command: string;
  readonly process: string | undefined;
  readonly meminfo: Readonly<Record<string, number>>;
  /** Pages in the per-CPU lists, as kB: free, though MemFree leaves them out. */
  readonly pcpKb: number;
  readonly vmstat: Readonly<Record<string, number>>;
  readonly processes: readonly ProcessReading[];
  readonly groups: readonly GroupReading[];
  /** Slab of names and inodes of files that are not open. */
  readonly nameBytes: number;
}

export interface GroupReading {
  readonly name: string;
  readonly currentBytes: number;
}

const KB = 4;

/** What a process has from its start: its directory page and the structures of a task. */
const OWN_OBJECTS = 2;

export function processReading({ name, task }: ScriptProcess): ProcessReading {
  const { mm, rssCache } = task;
  const kb = (member: 0 | 1 | 2 | 3) => Math.max(0, mm.rss[member] + rssCache[member]) * KB;
  return {
    name,
    pid: task.pid,
    anonKb: kb(MM_ANONPAGES),
    fileKb: kb(MM_FILEPAGES),
    shmemKb: kb(MM_SHMEMPAGES),
    swapKb: kb(MM_SWAPENTS),
    vszKb: mm.totalVm * KB,
    faults: task.minflt + task.majflt,
    fds: task.fds,
    sockets: task.sockets + task.udp,
    fdBytes: task.objects.slice(OWN_OBJECTS).reduce((sum, { bytes }) => sum + bytes, 0),
    fdPageBytes: task.objects
      .slice(OWN_OBJECTS)
      .reduce((sum, { bytes, kind }) => sum + (kind === 'pages' ? bytes : 0), 0),
  };
}

const EVENTS = [
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pgsteal_anon',
  'pgsteal_file',
  'pgscan_kswapd',
  'pgscan_direct',
  'pglazyfree',
  'pglazyfreed',
  'workingset_refault_file',
  'workingset_refault_anon',
  'pswpin',
  'pswpout',
  'nr_zspages',
  'oom_kill',
  'pgmajfault',
  'pgpgin',
] as const;

export function readMachine(run: MachineRun, command: string, process: string | undefined): Reading {
  const { k } = run;
  return {
    step: run.step,
    atUs: k.nowUs,
    command,
    process,
    meminfo: meminfo(k),
    pcpKb: k.zones.reduce((sum, zone) => sum + pcpCount(zone) * KB, 0),
    vmstat: Object.fromEntries(EVENTS.map((name) => [name, k.vmstat[name]])),
    processes: run.processes.filter(({ alive, task }) => alive && !task.fatalSignal).map(processReading),
    groups: [...run.groups].map(([name, group]) => ({ name, currentBytes: group.usage * 4096 })),
    nameBytes: run.files.names.bytes,
  };
}

/** A process in full: what smaps_rollup says, in kB, and its heap where it runs a workload. */
export interface ProcessMoment extends ProcessReading {
  readonly rollup: Readonly<Record<string, number>>;
  readonly heap: HeapFacts | undefined;
  /** Pages of a disk's files that it maps, and its share of them; those of its binary are not among them. */
  readonly fileRssKb: number;
  readonly filePssKb: number;
}

/** Shared memory or a file of tmpfs, and who has it; kB. */
export interface SharedObject {
  /** `A` of a region, or the file's path. */
  readonly name: string;
  readonly kind: 'anonymous' | 'memfd' | 'tmpfs';
  readonly sizeKb: number;
  readonly residentKb: number;
  readonly swapKb: number;
  /** Still in a directory. */
  readonly named: boolean;
  readonly mappers: readonly { readonly process: string; readonly rssKb: number; readonly pssKb: number }[];
  /** Resident, and in no process's RSS. */
  readonly nobodysKb: number;
  /** Groups that pay for its pages: those whose processes touched them first. */
  readonly payers: readonly { readonly group: string; readonly kb: number }[];
}

export interface GroupMoment {
  readonly name: string;
  readonly currentBytes: number;
  readonly maxBytes: number;
  readonly stat: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
}

/** Everything that the words are made of, at a sample or at the end. */
export interface Moment extends Reading {
  readonly label: string;
  readonly full: readonly ProcessMoment[];
  readonly shared: readonly SharedObject[];
  readonly groupMoments: readonly GroupMoment[];
  /** Page cache that is not tmpfs nor part of the first file system, in kB, by what would become of it. */
  readonly cache: CacheParts;
}

export interface CacheParts {
  readonly cleanInactiveKb: number;
  readonly cleanActiveKb: number;
  readonly dirtyKb: number;
  readonly mappedKb: number;
  /** On the lists of files, though it is memory that programs gave back lazily. */
  readonly lazyKb: number;
}

/** What smaps_rollup says of each process, where a sample has just worked it out: its lines leave out zeros. */
function sampledRollups(run: MachineRun, label: string): Map<string, Readonly<Record<string, number>>> {
  const rollups = new Map<string, Readonly<Record<string, number>>>();
  for (let i = run.lines.length - 1; i >= 0; i--) {
    const line = run.lines[i]!;
    if (line.t === 'step' || line['label'] !== label) break;
    if (line.t === 'proc') rollups.set(line['p'] as string, line['rollup'] as Readonly<Record<string, number>>);
  }
  return rollups;
}

const NO_PAGES = Object.fromEntries(
  'Rss Pss Pss_Anon Pss_Shmem Shared_Clean Private_Clean Anonymous LazyFree Locked'.split(' ').map((name) => [name, 0]),
);

export function takeMoment(run: MachineRun, label: string, reading: Reading): Moment {
  const sampled = sampledRollups(run, label);
  const { k } = run;
  const alive = run.processes.filter((process) => process.alive && !process.task.fatalSignal);
  return {
    ...reading,
    label,
    full: alive.map((process) => ({
      ...processReading(process),
      rollup: { ...NO_PAGES, ...(sampled.get(process.name) ?? smapsRollup(k, process.task)) },
      ...mappedFiles(k, process),
      heap: process.heap && process.heap.events > 0 ? heapFactsOf(process.heap) : undefined,
    })),
    shared: sharedObjects(run, alive),
    groupMoments: [...run.groups].map(([name, group]) => groupMoment(run, name, group)),
    cache: cacheParts(k),
  };
}

function mappedFiles(k: Kernel, { task }: ScriptProcess): { fileRssKb: number; filePssKb: number } {
  let fileRssKb = 0;
  let filePssKb = 0;
  for (const vma of task.mm.vmas) {
    if (vma.object?.kind !== 'disk') continue;
    const { Rss, Pss, Anonymous } = smapsOf(k, vma) as { Rss: number; Pss: number; Anonymous: number };
    fileRssKb += Rss - Anonymous;
    filePssKb += Math.max(0, Pss - Anonymous);
  }
  return { fileRssKb, filePssKb };
}

function groupMoment(run: MachineRun, name: string, group: MemCgroup): GroupMoment {
  return {
    name,
    currentBytes: group.usage * 4096,
    maxBytes: group.max * 4096,
    stat: memoryStat(run, group),
    events: { ...group.events },
  };
}

function sharedObjects(run: MachineRun, alive: readonly ScriptProcess[]): SharedObject[] {
  const objects = new Map<AddressSpace, { name: string; mappers: SharedObject['mappers'][number][] }>();
  for (const object of run.k.objects) {
    if (object?.kind !== 'shmem' || object.nrPages + swappedPages(object).size === 0) continue;
    objects.set(object, { name: object.path, mappers: [] });
  }
  for (const { name, task } of alive) {
    const own = new Map<AddressSpace, { rssKb: number; pssKb: number }>();
    for (const vma of task.mm.vmas) {
      const entry = vma.object && objects.get(vma.object);
      if (!entry || !vma.object) continue;
      const region = regionOf(run, vma.start * 4096);
      if (region !== undefined && vma.object.links === 0) entry.name = region;
      const { Rss, Pss, Anonymous } = smapsOf(run.k, vma) as { Rss: number; Pss: number; Anonymous: number };
      const sum = own.get(vma.object) ?? { rssKb: 0, pssKb: 0 };
      own.set(vma.object, { rssKb: sum.rssKb + Rss - Anonymous, pssKb: sum.pssKb + Pss - Anonymous });
    }
    for (const [object, sizes] of own) objects.get(object)!.mappers.push({ process: name, ...sizes });
  }
  return [...objects].map(([object, { name, mappers }]) => {
    const residentKb = object.nrPages * KB;
    const mapped = mappers.reduce((sum, { pssKb }) => sum + pssKb, 0);
    return {
      name,
      kind: object.links > 0 ? 'tmpfs' : object.path.startsWith('/memfd:') ? 'memfd' : 'anonymous',
      sizeKb: Math.ceil(object.sizeBytes / 1024),
      residentKb,
      swapKb: swappedPages(object).size * KB,
      named: object.links > 0,
      mappers,
      // Proportional sizes are cut off at each mapping: a page or two are no one's share.
      nobodysKb: residentKb - mapped < 2 * mappers.length + 1 ? 0 : residentKb - mapped,
      payers: payersOf(run.k, object),
    };
  });
}

function payersOf(k: Kernel, object: AddressSpace): { group: string; kb: number }[] {
  if (k.groups.length === 1) return [];
  const pages = new Map<number, number>();
  for (const index of object.pagesIn(0, Number.MAX_SAFE_INTEGER)) {
    const group = k.frames.group[object.get(index)]!;
    pages.set(group, (pages.get(group) ?? 0) + 1);
  }
  return [...pages]
    .map(([group, count]) => ({ group: k.groups[group]!.name, kb: count * KB }))
    .sort((a, b) => b.kb - a.kb);
}

function regionOf(run: MachineRun, address: number): string | undefined {
  const slot = Math.floor((address - REGIONS_START) / REGION_STRIDE);
  return slot >= 0 ? run.regions[slot] : undefined;
}

/** The lists of files by what a reclaim would find there. */
function cacheParts(k: Kernel): CacheParts {
  const info = meminfo(k);
  const kb = (name: string) => info[name] ?? 0;
  let cachedKb = 0;
  let mappedKb = 0;
  for (const object of k.objects) {
    if (object?.kind !== 'disk') continue;
    cachedKb += object.nrPages * KB;
    for (const index of object.vmas.size > 0 ? object.pagesIn(0, Number.MAX_SAFE_INTEGER) : []) {
      if (k.frames.mapcount[object.get(index)]! > 0) mappedKb += KB;
    }
  }
  const inactive = kb('Inactive(file)');
  const active = kb('Active(file)');
  const lazyKb = Math.max(0, inactive + active - cachedKb);
  const dirtyKb = kb('Dirty') + kb('Writeback');
  return {
    cleanInactiveKb: Math.max(0, inactive - lazyKb - dirtyKb),
    cleanActiveKb: active,
    dirtyKb,
    mappedKb,
    lazyKb: lazyKb < 256 ? 0 : lazyKb,
  };
}

/** Resident pages of a process, in kB. */
export const rssKb = ({ anonKb, fileKb, shmemKb }: ProcessReading): number => anonKb + fileKb + shmemKb;
