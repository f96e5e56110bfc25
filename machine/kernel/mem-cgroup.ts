/** A group's state, and pressure. */
export const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Counters of memory.stat that are kept in pages, local to a group; what a group shows is the sum over its subtree. */
export interface GroupStat {
  anon: number;
  file: number;
  shmem: number;
  file_mapped: number;
  file_dirty: number;
  file_writeback: number;
  anon_thp: number;
  pagetables: number;
  kernel_stack: number;
  sock: number;
  slab_reclaimable_bytes: number;
  slab_unreclaimable_bytes: number;
  percpu_bytes: number;
  swap: number;
  swapcached: number;
  [event: string]: number;
}

export const newGroupStat = (): GroupStat => ({
  anon: 0,
  file: 0,
  shmem: 0,
  file_mapped: 0,
  file_dirty: 0,
  file_writeback: 0,
  anon_thp: 0,
  pagetables: 0,
  kernel_stack: 0,
  sock: 0,
  slab_reclaimable_bytes: 0,
  slab_unreclaimable_bytes: 0,
  percpu_bytes: 0,
  swap: 0,
  swapcached: 0,
});

/** State of pressure of a group or the machine: times in microseconds. */
export interface Psi {
  someUs: number;
  fullUs: number;
  /** NR_MEMSTALL: tasks that wait, and when that was last told. */
  stalled: number;
  changedUs: number;
  avg10: [number, number];
  avg60: [number, number];
  avg300: [number, number];
  /** Totals at the last update of the averages. */
  lastSome: number;
  lastFull: number;
  nextUpdateUs: number;
}

export const PSI_PERIOD_US = 2_000_000;
export const newPsi = (nowUs: number): Psi => ({
  someUs: 0,
  fullUs: 0,
  stalled: 0,
  changedUs: nowUs,
  avg10: [0, 0],
  avg60: [0, 0],
  avg300: [0, 0],
  lastSome: 0,
  lastFull: 0,
  nextUpdateUs: nowUs + PSI_PERIOD_US,
});

export const FLUSH_TIME_US = 2_000_000;
/** Of the first one in a script: 6.65 s after the kernel began, of which 4.86 have gone by (6.12: 8.74 and 6.97). */
const FIRST_FLUSH_US = 1_790_000;

/** What of a group its memory.stat shows. */
export interface ShownStat {
  readonly stat: Readonly<GroupStat>;
  /** Pages on each LRU list, and the kernel's that are charged. */
  readonly lists: readonly number[];
  readonly kmemPages: number;
}

export interface Rstat {
  /** stats_updates of the processor: changes since it last told of 64. */
  updates: number;
  /** stats_flush_threshold. */
  threshold: number;
  /** How often memory.stat of all groups was brought up to date. */
  flushes: number;
  /** stats_flush_dwork: it is so at the latest. */
  nextUs: number;
  /** Bytes of objects that the processor has not told of, and whose they are. */
  slabGroup: MemCgroup | null;
  slabBytes: number;
}

export const newRstat = (): Rstat => ({
  updates: 0,
  threshold: 0,
  flushes: 0,
  nextUs: FIRST_FLUSH_US,
  slabGroup: null,
  slabBytes: 0,
});

/** mem_cgroup: a group of cgroup v2; the id is that of its lists. Pages and limits in pages. */
export class MemCgroup {
  readonly id: number;
  readonly name: string;
  readonly parent: MemCgroup | null;
  readonly children: MemCgroup[] = [];
  usage = 0;
  peak = 0;
  max = NO_LIMIT;
  high = NO_LIMIT;
  low = 0;
  min = 0;
  /** Of it and those below it, in swap: pages, the limit, and charges that it forbade. */
  swapUsage = 0;
  swapMax = NO_LIMIT;
  swapFailcnt = 0;
  /** memory.swap.events. */
  readonly swapEvents = { high: 0, max: 0, fail: 0 };
  oomGroup = false;
  online = true;
  stat = newGroupStat();
  /** What memory.stat showed when it was last brought up to date, where something has changed since that flush (rstat.flushes). */
  shown: ShownStat | undefined = undefined;
  shownBefore = -1;
  /** events.local; events adds those of the subtree. */
  readonly eventsLocal: Record<string, number> = {};
  readonly events: Record<string, number> = {};
  psi: Psi;
  /** Pages of the kernel's that are charged, and bytes of them that no object uses (nr_charged_bytes). */
  kmemPages = 0;
  objBytes = 0;
  /** Effective protection of the last reclaim. */
  emin = 0;
  elow = 0;
  /** workingset's clock: pages that left the inactive lists. */
  nonresidentAge = 0;
  /** What reclaim of each kind of memory has cost lately. */
  anonCost = 0;
  fileCost = 0;
  /** Charges that did not fit. */
  failcnt = 0;
  /** Pages that reclaim for it has looked at since it last told of them (vmpressure). */
  treeScanned = 0;

  constructor(id: number, name: string, parent: MemCgroup | null, nowUs: number) {
    this.id = id;
    this.name = name;
    this.parent = parent;
    this.psi = newPsi(nowUs);
    parent?.children.push(this);
  }

  get isRoot(): boolean {
    return this.parent === null;
  }

  /** mem_cgroup_is_descendant: of itself too. */
  isIn(group: MemCgroup): boolean {
    for (let at: MemCgroup | null = this; at; at = at.parent) if (at === group) return true;
    return false;
  }

  /** workingset_age_nonresident. */
  ageNonresident(pages: number): void {
    for (let at: MemCgroup | null = this; at; at = at.parent) at.nonresidentAge += pages;
  }

  /** This group and those below it, itself first. */
  *subtree(): Generator<MemCgroup> {
    yield this;
    for (const child of this.children) yield* child.subtree();
  }
}

/** memcg_memory_event of MEMCG_SWAP_MAX and MEMCG_SWAP_FAIL. */
export function memcgSwapEvent(group: MemCgroup, name: 'max' | 'fail'): void {
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) at.swapEvents[name]++;
}

/** memcg_memory_event: an event of the group, which its ancestors count too. */
export function memcgEvent(group: MemCgroup, name: string): void {
  group.eventsLocal[name] = (group.eventsLocal[name] ?? 0) + 1;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) at.events[name] = (at.events[name] ?? 0) + 1;
}

/** Who has what a group that is gone has left behind. */
export function onlineAncestor(group: MemCgroup): MemCgroup {
  let own = group;
  while (!own.online && own.parent) own = own.parent;
  return own;
}
