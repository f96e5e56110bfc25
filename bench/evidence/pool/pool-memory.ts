import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** A mapping of /proc/PID/smaps; bytes. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** rwxp or rwxs. */
  readonly access: string;
  readonly name: string;
  readonly rss: number;
  readonly pss: number;
  readonly anonymous: number;
  /** Of private mappings: anonymous pages that other processes have too. */
  readonly sharedDirty: number;
}

export interface ProcessMemory {
  readonly pid: number;
  /** Without those that are there for the recorder alone. */
  readonly mappings: readonly Mapping[];
  readonly rss: number;
  readonly pss: number;
  /** Of them: pages of files and of shared mappings. */
  readonly tableRss: number;
  readonly tablePss: number;
}

/** A pool's memory at a number of requests. */
export interface PoolMemory {
  readonly requests: number;
  readonly master: ProcessMemory;
  readonly workers: readonly ProcessMemory[];
  /** The pool's part of AnonPages, the lists of anonymous pages and Shmem, page by page. */
  readonly anonPages: number;
  readonly activeAnon: number;
  readonly inactiveAnon: number;
  readonly shmem: number;
  /** Resident bytes of each shared mapping without a file, in all processes together, by its address. */
  readonly shared: readonly { readonly start: number; readonly bytes: number }[];
}

const PAGE = 4096;
/** /proc/kpageflags: include/uapi/linux/kernel-page-flags.h. */
const KPF_LRU = 1n << 5n;
const KPF_ACTIVE = 1n << 6n;
const KPF_ANON = 1n << 12n;
const KPF_SWAPBACKED = 1n << 14n;
const PM_PRESENT = 1n << 63n;
const PM_PFN = (1n << 55n) - 1n;

/** Reads it of the master and its workers. Needs root, for the numbers of pages. */
export function readPoolMemory(requests: number, pids: readonly number[]): PoolMemory {
  const [master, ...workers] = pids.map(readProcess);
  const frames = new Set<bigint>();
  const shared = new Map<number, Set<bigint>>();
  for (const { pid, mappings } of [master!, ...workers]) {
    const file = openSync(`/proc/${pid}/pagemap`, 'r');
    for (const { start, end, access, name } of mappings) {
      const own = framesOf(file, start, end);
      for (const frame of own) frames.add(frame);
      if (access[3] !== 's' || !isUnnamed(name)) continue;
      const all = shared.get(start) ?? new Set();
      shared.set(start, all);
      for (const frame of own) all.add(frame);
    }
    closeSync(file);
  }
  return {
    requests,
    master: master!,
    workers,
    ...listsOf(frames),
    shared: [...shared].map(([start, all]) => ({ start, bytes: all.size * PAGE })),
  };
}

/** A shared mapping without a file is one of /dev/zero. */
export const isUnnamed = (name: string) => name === '' || name.startsWith('/dev/zero');

function readProcess(pid: number): ProcessMemory {
  const mappings = withoutRecorder(parseSmaps(readFileSync(`/proc/${pid}/smaps`, 'utf8')));
  const sum = (of: (mapping: Mapping) => number) => mappings.reduce((total, mapping) => total + of(mapping), 0);
  return {
    pid,
    mappings,
    rss: sum(({ rss }) => rss),
    pss: sum(({ pss }) => pss),
    tableRss: sum(({ rss, anonymous }) => rss - anonymous),
    tablePss: sum(({ pss }) => pss) - anonymousPss(pid, mappings),
  };
}

/** What is there for the recorder alone: its library with the data behind it, which has no name, and its logs. */
function withoutRecorder(mappings: readonly Mapping[]): Mapping[] {
  const kept: Mapping[] = [];
  let libraryEnd = -1;
  for (const mapping of mappings) {
    const { name, start, end } = mapping;
    if (/record\.so/.test(name) || (name === '' && start === libraryEnd)) libraryEnd = end;
    else if (!/allocsim|^\[v/.test(name)) kept.push(mapping);
  }
  return kept;
}

function parseSmaps(text: string): Mapping[] {
  const found: Mapping[] = [];
  for (const block of text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/m.exec(block);
    if (!head) continue;
    const of = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(block)?.[1] ?? 0) * 1024;
    found.push({
      start: Number.parseInt(head[1]!, 16),
      end: Number.parseInt(head[2]!, 16),
      access: head[3]!,
      name: head[4]!.replace(/ \(deleted\)$/, ''),
      rss: of('Rss'),
      pss: of('Pss'),
      anonymous: of('Anonymous'),
      sharedDirty: of('Shared_Dirty'),
    });
  }
  return found;
}

/** The kernel has it for whole processes only: each anonymous page divided by how often it is mapped. */
function anonymousPss(pid: number, mappings: readonly Mapping[]): number {
  const files = [`/proc/${pid}/pagemap`, '/proc/kpageflags', '/proc/kpagecount'].map((path) => openSync(path, 'r'));
  const [pagemap, flags, counts] = files as [number, number, number];
  let bytes = 0;
  for (const { start, end } of mappings) {
    for (const frame of framesOf(pagemap, start, end)) {
      if (wordOf(flags, frame) & KPF_ANON) bytes += PAGE / Number(wordOf(counts, frame));
    }
  }
  files.forEach(closeSync);
  return bytes;
}

/** Of a file in /proc with a word for each page frame. */
function wordOf(file: number, frame: bigint): bigint {
  const word = Buffer.alloc(8);
  readSync(file, word, 0, 8, Number(frame) * 8);
  return word.readBigUInt64LE();
}

function framesOf(pagemap: number, start: number, end: number): bigint[] {
  const buffer = Buffer.alloc(((end - start) / PAGE) * 8);
  const bytes = readSync(pagemap, buffer, 0, buffer.length, (start / PAGE) * 8);
  const found: bigint[] = [];
  for (let at = 0; at + 8 <= bytes; at += 8) {
    const entry = buffer.readBigUInt64LE(at);
    if (entry & PM_PRESENT && (entry & PM_PFN) !== 0n) found.push(entry & PM_PFN);
  }
  return found;
}

function listsOf(frames: ReadonlySet<bigint>): Pick<PoolMemory, 'anonPages' | 'activeAnon' | 'inactiveAnon' | 'shmem'> {
  const file = openSync('/proc/kpageflags', 'r');
  let anonPages = 0;
  let activeAnon = 0;
  let inactiveAnon = 0;
  let shmem = 0;
  for (const frame of frames) {
    const flags = wordOf(file, frame);
    if (!(flags & KPF_SWAPBACKED)) continue;
    if (flags & KPF_ANON) anonPages += PAGE;
    else shmem += PAGE;
    if (!(flags & KPF_LRU)) continue;
    if (flags & KPF_ACTIVE) activeAnon += PAGE;
    else inactiveAnon += PAGE;
  }
  closeSync(file);
  return { anonPages, activeAnon, inactiveAnon, shmem };
}
