import type { Kernel } from './kernel.ts';

const CHARGE_BATCH = 64;
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
  avg10: [number, number];
  avg60: [number, number];
  /** Totals at the last update of the averages. */
  lastSome: number;
  lastFull: number;
  nextUpdateUs: number;
}

export const PSI_PERIOD_US = 2_000_000;
export const newPsi = (nowUs: number): Psi => ({
  someUs: 0,
  fullUs: 0,
  avg10: [0, 0],
  avg60: [0, 0],
  lastSome: 0,
  lastFull: 0,
  nextUpdateUs: nowUs + PSI_PERIOD_US,
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
  oomGroup = false;
  online = true;
  stat = newGroupStat();
  /** events.local; events adds those of the subtree. */
  readonly eventsLocal: Record<string, number> = {};
  readonly events: Record<string, number> = {};
  psi: Psi;
  kmemBytes = 0;
  /** Effective protection of the last reclaim. */
  emin = 0;
  elow = 0;
  /** workingset's clock: pages that left the inactive lists. */
  nonresidentAge = 0;
  anonCost = 0;
  fileCost = 0;
  refaults = [0, 0];
  /** Pages above memory.high that the tasks of this group must wait for. */
  failcnt = 0;

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

  /** This group and those below it, itself first. */
  *subtree(): Generator<MemCgroup> {
    yield this;
    for (const child of this.children) yield* child.subtree();
  }
}

/** memcg_memory_event: an event of the group, which its ancestors count too. */
export function memcgEvent(group: MemCgroup, name: string): void {
  group.eventsLocal[name] = (group.eventsLocal[name] ?? 0) + 1;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) at.events[name] = (at.events[name] ?? 0) + 1;
}

/** Counts an event of memory.stat (pgfault, pgscan, …). */
export function countMemcg(k: Kernel, groupId: number, name: string, n = 1): void {
  const { stat } = k.groups[groupId]!;
  stat[name] = (stat[name] ?? 0) + n;
}

/** page_counter_try_charge: undefined where it fits, otherwise the group whose limit is met. */
function pageCounterTryCharge(group: MemCgroup, pages: number): MemCgroup | undefined {
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (at.usage + pages > at.max) {
      at.failcnt++;
      return at;
    }
  }
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    at.usage += pages;
    if (at.usage > at.peak) at.peak = at.usage;
  }
  return undefined;
}

/** page_counter_uncharge. */
export function pageCounterUncharge(group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.usage -= pages;
}

function drainStock(k: Kernel): void {
  if (k.stockGroup && k.stockPages > 0) pageCounterUncharge(k.stockGroup, k.stockPages);
  k.stockPages = 0;
  k.stockGroup = null;
}

export const drainAllStock = drainStock;

/**
 * try_charge_memcg: charges `pages` to the group and its ancestors, reclaiming in it and killing where it must.
 * @returns false where there is no memory for it: the fault is repeated or fails.
 */
export function tryChargeMemcg(k: Kernel, group: MemCgroup, pages: number, huge = false): boolean {
  if (group.isRoot) return true;
  if (k.stockGroup === group && k.stockPages >= pages) {
    k.stockPages -= pages;
    return true;
  }
  let batch = Math.max(CHARGE_BATCH, pages);
  let retries = 16;
  for (;;) {
    const over = pageCounterTryCharge(group, batch);
    if (!over) break;
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (k.current?.fatalSignal) {
      forceCharge(group, pages);
      return true;
    }
    memcgEvent(over, 'max');
    const reclaimed = k.hooks.memcgReclaim(over, pages);
    drainStock(k);
    if (over.usage + pages <= over.max || (reclaimed > 0 && pages <= 8)) continue;
    if (retries-- > 0 && reclaimed > 0) continue;
    if (retries > 0 && !huge) {
      // Attempts without progress come to an end only after MAX_RECLAIM_RETRIES of them.
      let progress = 0;
      while (retries-- > 0 && progress === 0) {
        memcgEvent(over, 'max');
        progress = k.hooks.memcgReclaim(over, pages);
      }
      if (progress > 0) continue;
    }
    if (huge) return false;
    memcgEvent(over, 'oom');
    if (!k.hooks.memcgOutOfMemory(over)) return false;
    retries = 16;
    if (k.current?.fatalSignal) {
      forceCharge(group, pages);
      return true;
    }
  }
  if (batch > pages) {
    if (k.stockGroup !== group) drainStock(k);
    k.stockGroup = group;
    k.stockPages += batch - pages;
    if (k.stockPages > CHARGE_BATCH) drainStock(k);
  }
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (at.usage > at.high) {
      if (k.current) k.current.memcgOverHigh += batch;
      break;
    }
  }
  return true;
}

function forceCharge(group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.usage += pages;
}

/** Bytes of kernel objects charged to the group; whole pages go to the counter as they are filled. */
export function chargeKernelBytes(k: Kernel, groupId: number, bytes: number): void {
  const group = k.groups[groupId]!;
  if (group.isRoot || bytes === 0) return;
  const before = Math.ceil(group.kmemBytes / 4096);
  group.kmemBytes += bytes;
  const pages = Math.ceil(group.kmemBytes / 4096) - before;
  if (pages > 0) {
    if (!tryChargeMemcg(k, group, pages)) forceCharge(group, pages);
  } else if (pages < 0) pageCounterUncharge(group, -pages);
}
