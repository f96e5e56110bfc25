/** mm/page_alloc.c: pages from the zones, through the lists of the processor, and back. */
import { assert } from '../../sim/contract/assert.ts';
import { HPAGE_PMD_NR, PG_ANON, PG_HEAD, PG_MLOCKED, PG_TAIL } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { chargeKernelPages, MOST_KILLS, pageCounterUncharge, tryChargeMemcg } from './memcontrol.ts';
import { isHeldByMlockBatch } from './mlock-batch.ts';
import type { Mm } from './mm-types.ts';
import { updateStat } from './rstat.ts';
import { releaseFromLru } from './swap-lru.ts';
import { pcpCount } from './zone.ts';

/** NR_FREE_PAGES of a zone: without those on the lists of the processor. */
export function zoneFree(k: Kernel, zone: number): number {
  return k.frames.zones[zone]!.free - pcpCount(k.zones[zone]!);
}

export function nrFreePages(k: Kernel): number {
  let sum = 0;
  for (let zone = 0; zone < k.zones.length; zone++) sum += zoneFree(k, zone);
  return sum;
}

/** zone_watermark_ok for requests that may come from any zone: `mark` pages stay, and those kept for lower zones. */
export function zoneWatermarkOk(k: Kernel, zone: number, order: number, mark: number): boolean {
  const reserve = k.zones[zone]!.protection[4]!;
  return zoneFree(k, zone) - ((1 << order) - 1) > mark + reserve;
}

const MAX_RECLAIM_RETRIES = 16;

/** What is asked of the allocator: how it goes on when the marks are met. */
export interface AllocOptions {
  /** 0 or 9. */
  readonly order?: number;
  /** A page of the kernel, not one that can move. */
  readonly kernel?: boolean;
  /** Gives up without killing anyone. */
  readonly noRetry?: boolean;
}

const USER: AllocOptions = {};

/** __alloc_pages: the zone that a page of 2^order comes from, or -1 where there is none. Counts it as taken. */
function reserveFrom(k: Kernel, options: AllocOptions): number {
  const order = options.order ?? 0;
  const found = getPageFromFreelist(k, order, 'low');
  if (found >= 0) return found;
  k.hooks.wakeKswapd(order);
  if (k.current?.oomVictim) {
    const any = withoutWatermarks(k, order);
    if (any >= 0) return any;
  }
  let retries = 0;
  let kills = 0;
  for (;;) {
    const zone = getPageFromFreelist(k, order, 'min');
    if (zone >= 0) return zone;
    if (options.noRetry && order > 0) return -1;
    const progress = k.hooks.directReclaim(order);
    if (progress > 0) {
      retries = 0;
      const after = getPageFromFreelist(k, order, 'min');
      if (after >= 0) return after;
      continue;
    }
    if (options.noRetry) return -1;
    if (++retries < MAX_RECLAIM_RETRIES) continue;
    if (!k.hooks.outOfMemory(order)) return -1;
    assert(++kills <= MOST_KILLS, 'who is killed for a page gives memory back');
    if (k.current?.fatalSignal) {
      return withoutWatermarks(k, order);
    }
    retries = 0;
  }
}

/** Who may not reclaim may still go down to the lower mark, and wakes nobody. */
function withoutReclaim(k: Kernel, order: number): number {
  const found = getPageFromFreelist(k, order, 'low');
  return found >= 0 ? found : getPageFromFreelist(k, order, 'min');
}

/** ALLOC_NO_WATERMARKS, for who is dying: all there is, and not more. */
function withoutWatermarks(k: Kernel, order: number): number {
  return k.frames.zones.some(({ free }) => free > 0) ? getPageFromFreelist(k, order, -1) : -1;
}

/** The mark that a request must leave untouched; -1: none (ALLOC_NO_WATERMARKS). */
type Mark = 'low' | 'min' | -1;

function getPageFromFreelist(k: Kernel, order: number, mark: Mark): number {
  for (let at = k.zones.length - 1; at >= 0; at--) {
    const zone = k.zones[at]!;
    const kept = mark === 'low' ? zone.low + zone.boost : mark === 'min' ? zone.min : mark;
    if (zoneWatermarkOk(k, at, order, kept)) return at;
  }
  return -1;
}

function countAlloc(k: Kernel, zone: number, pages: number): void {
  const { name } = k.zones[zone]!;
  if (name === 'DMA') k.vmstat.pgalloc_dma += pages;
  else if (name === 'DMA32') k.vmstat.pgalloc_dma32 += pages;
  else k.vmstat.pgalloc_normal += pages;
}

/** Lists of the processor in the order in which they are emptied, from that which has become too long. */
const LISTS = ['kernel', 'movable', 'huge'] as const;
/** CONFIG_PCP_BATCH_SCALE_MAX. */
const PCP_BATCH_SCALE_MAX = 5;
type PcpList = (typeof LISTS)[number];

/** rmqueue_pcplist: from the list of the processor, which is filled a batch at a time; huge pages two at a time. */
function takeFromPcp(k: Kernel, zone: number, list: PcpList): void {
  const { pcp } = k.zones[zone]!;
  const size = list === 'huge' ? HPAGE_PMD_NR : 1;
  pcp.freeFactor >>= 1;
  if (pcp[list] === 0) {
    const batch = size > 1 && pcp.batch > 1 ? 2 : pcp.batch;
    pcp[list] += Math.max(0, Math.min(batch, Math.floor(zoneFree(k, zone) / size))) * size;
  }
  if (pcp[list] > 0) pcp[list] -= size;
}

/** free_unref_page_commit: to the list of the processor; where the lists are too long, free_pcppages_bulk. */
function giveToPcp(k: Kernel, zone: number, pages: number, list: PcpList): void {
  const { pcp, reclaimActive } = k.zones[zone]!;
  const high = reclaimActive ? Math.min(pcp.batch * 4, pcp.high) : pcp.high;
  pcp[list] += pages;
  const count = pcpCount(k.zones[zone]!);
  if (count < high) return;
  const most = high - pcp.batch;
  const batch = Math.min(Math.max(pcp.batch << pcp.freeFactor, pcp.batch), Math.max(most, pcp.batch));
  if (batch < most && pcp.freeFactor < PCP_BATCH_SCALE_MAX) pcp.freeFactor++;
  let left = Math.min(batch, count);
  for (let i = LISTS.indexOf(list); left > 0; i++) {
    const own = LISTS[i % LISTS.length]!;
    const size = own === 'huge' ? HPAGE_PMD_NR : 1;
    const given = Math.min(pcp[own], Math.ceil(left / size) * size);
    pcp[own] -= given;
    left -= given;
  }
}

/** A page for user memory or cache, charged to `group`; -1 where there is none. Flags are clear, the group is set. */
export function allocPage(k: Kernel, group: MemCgroup, options: AllocOptions = USER): number {
  const zone = reserveFrom(k, options);
  if (zone < 0) return -1;
  if (!group.isRoot && !tryChargeMemcg(k, group, 1)) return -1;
  takeFromPcp(k, zone, 'movable');
  let frame = k.frames.takeFrame(zone);
  for (let other = k.zones.length - 1; frame < 0 && other >= 0; other--) frame = k.frames.takeFrame(other);
  assert(frame >= 0, 'a zone above its mark has no frame');
  k.frames.group[frame] = group.id;
  // PGPGIN.
  updateStat(k, group, 1);
  countAlloc(k, zone, 1);
  return frame;
}

/**
 * A huge page of 512 frames, charged; -1 where there is none, -2 where the group may have none. Without `direct`
 * (GFP_TRANSHUGE_LIGHT) nothing is reclaimed for it.
 */
export function allocHugePage(k: Kernel, group: MemCgroup, direct: boolean): number {
  const zone = direct ? reserveFrom(k, { order: 9, noRetry: true }) : withoutReclaim(k, 9);
  if (zone < 0) return -1;
  if (!group.isRoot && !tryChargeMemcg(k, group, HPAGE_PMD_NR, { huge: true, blocking: direct })) return -2;
  let head = -1;
  for (let at = zone; head < 0 && at >= 0; at--) head = k.frames.takeBlock(at);
  if (head < 0) {
    if (!group.isRoot) pageCounterUncharge(group, HPAGE_PMD_NR);
    return -1;
  }
  takeFromPcp(k, k.frames.zoneOf(head), 'huge');
  k.frames.flags[head] = PG_HEAD;
  for (let frame = head + 1; frame < head + HPAGE_PMD_NR; frame++) k.frames.flags[frame] = PG_TAIL;
  k.frames.group.fill(group.id, head, head + HPAGE_PMD_NR);
  updateStat(k, group, 1);
  countAlloc(k, k.frames.zoneOf(head), HPAGE_PMD_NR);
  return head;
}

/** free_unref_page and mem_cgroup_uncharge: nobody maps or holds the page any more. */
export function freePage(k: Kernel, frame: number): void {
  const { frames } = k;
  if (k.gathering) {
    k.gathering.push(frame);
    k.gathered.add(frame);
    return;
  }
  if (isHeldByMlockBatch(k, frame)) return;
  const pages = frames.sizeOf(frame);
  if (frames.flags[frame]! & PG_MLOCKED) {
    k.vmstat.nr_mlock -= pages;
    k.vmstat.unevictable_pgs_munlocked += pages;
  }
  releaseFromLru(k, frame);
  const group = k.groups[frames.group[frame]!]!;
  if (!group.isRoot) pageCounterUncharge(group, pages);
  // PGPGOUT.
  updateStat(k, group, 1);
  k.vmstat.pgfree += pages;
  if (frames.flags[frame]! & PG_ANON) frames.owner[frame] = 0;
  const zone = frames.zoneOf(frame);
  if (pages > 1) {
    frames.putBlock(frame);
    giveToPcp(k, zone, pages, 'huge');
  } else {
    frames.putFrame(frame);
    giveToPcp(k, zone, 1, 'movable');
  }
}

/**
 * Pages of the kernel itself: counted, with no frame of their own. Never fails: what has no page asks for reclaim first. Where that finds
 * none, either the machine has come to its end, or who asks is dying: it gets the rest on credit, and gives all back when it is gone.
 */
export function takeKernelPages(k: Kernel, pages: number): void {
  for (let i = 0; i < pages; i++) {
    const zone = reserveFrom(k, { kernel: true });
    if (zone < 0) {
      if (!k.panicked) addKernelPages(k, k.zones.length - 1, pages - i);
      return;
    }
    takeFromPcp(k, zone, 'kernel');
    addKernelPages(k, zone, 1);
  }
}

function addKernelPages(k: Kernel, zone: number, pages: number): void {
  k.frames.zones[zone]!.free -= pages;
  k.frames.zones[zone]!.kernelPages += pages;
  countAlloc(k, zone, pages);
}

/** Pages that whoever reclaims needs to get on (PF_MEMALLOC): from what is kept below the marks too. @returns false where there are none. */
export function takePagesFromReserve(k: Kernel, pages: number): boolean {
  for (let taken = 0; taken < pages; taken++) {
    // kswapd was woken before, or it is who asks.
    const above = getPageFromFreelist(k, 0, 'low');
    const zone = above >= 0 ? above : withoutWatermarks(k, 0);
    if (zone < 0) {
      giveKernelPages(k, taken, true);
      return false;
    }
    takeFromPcp(k, zone, 'movable');
    k.frames.zones[zone]!.free--;
    k.frames.zones[zone]!.kernelPages++;
    countAlloc(k, zone, 1);
  }
  return true;
}

/** To the zones that they came from: which page it is nobody knows, so what a lower zone has helped out with goes back first. */
export function giveKernelPages(k: Kernel, pages: number, movable = false): void {
  const { zones } = k.frames;
  for (let i = 0; i < pages; i++) {
    const lower = zones.findIndex(({ kernelPages }) => kernelPages > 0);
    const zone = lower < 0 ? zones.length - 1 : lower;
    zones[zone]!.free++;
    if (lower >= 0) zones[zone]!.kernelPages--;
    giveToPcp(k, zone, 1, movable ? 'movable' : 'kernel');
  }
  k.vmstat.pgfree += pages;
}

/** Page tables that the process has more or fewer than at the last call: pages, and charges of the groups that pay for them. */
export function accountPageTables(k: Kernel, mm: Mm): void {
  for (const [id, { pages, upper }] of mm.tableChanges) {
    if (pages > 0) takeKernelPages(k, pages);
    else giveKernelPages(k, -pages);
    // Upper directories have no constructor that counts them, in 6.1; they are charged all the same.
    const counted = pages - (k.profile.features.countsUpperTables ? 0 : upper);
    k.vmstat.nr_page_table_pages += counted;
    updateStat(k, k.groups[id]!, counted).pagetables += counted;
    chargeKernelPages(k, id, pages);
  }
  mm.tableChanges.clear();
}
