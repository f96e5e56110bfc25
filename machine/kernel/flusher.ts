/** fs/fs-writeback.c: the thread of each group that writes its files' dirty pages, beside whoever else wants the processor. */
import { type BdiWriteback, foreignDirtyOf, wbDomainOf, writebacksOf } from './backing-dev.ts';
import { wbOverBgThresh } from './dirty-limits.ts';
import { firstOfIo, hasDirtyIo, queueIo, requeueInode } from './inode-list.ts';
import type { Kernel } from './kernel.ts';
import { lruvecEventState } from './rstat.ts';
import { HZ, JIFFY_US, jiffiesOf, timerExpiresAfter } from './timer.ts';
import { writeCyclic } from './writeback.ts';

/** DIRTY_SCOPE and MIN_WRITEBACK_PAGES. */
const DIRTY_SCOPE = 8;
const LEAST_CHUNK_PAGES = 1024;
/** sched_slice of two threads that both want the processor: half of sysctl_sched_latency. */
const SLICE_US = 3000;
/**
 * place_entity of EEVDF: who sleeps keeps what it was behind, a tick at most, and is placed twice as far behind one other (W + w over W). A
 * worker that has always waited for the tick is behind by that much.
 */
const LAG_US = 2 * JIFFY_US;
/** place_entity of CFS: half of sysctl_sched_latency. */
const SLEEPER_CREDIT_US = 3000;

/** wb_writeback_work. */
export interface WritebackWork {
  /** How much it still has to write. */
  pages: number;
  readonly kind: 'background' | 'kupdate' | 'pages';
}

/** writeback_chunk_size: half a second's pages, or what keeps the machine below its limit. */
function chunkPages(k: Kernel, wb: BdiWriteback, work: WritebackWork): number {
  const most = Math.min(
    wb.avgWriteBandwidth >> 1,
    Math.floor(wbDomainOf(k, k.root).dirtyLimit / DIRTY_SCOPE),
    work.pages,
  );
  return Math.floor((most + LEAST_CHUNK_PAGES) / LEAST_CHUNK_PAGES) * LEAST_CHUNK_PAGES;
}

/** wb_writeback: a chunk of each file, while there is work. */
function* wbWriteback(k: Kernel, wb: BdiWriteback, work: WritebackWork): Generator<void, void> {
  const yields = work.kind !== 'pages';
  const began = jiffiesOf(k.nowUs);
  for (;;) {
    if (work.pages <= 0 || (yields && wb.works.length > 0)) return;
    if (work.kind === 'background' && !wbOverBgThresh(k, wb)) return;
    const start = jiffiesOf(k.nowUs);
    const dirtiedBefore = { background: start, kupdate: start - k.dirtyExpire, pages: began }[work.kind];
    if (!firstOfIo(k, wb)) queueIo(k, wb, dirtiedBefore);
    let progress = 0;
    for (let object = firstOfIo(k, wb); object; object = firstOfIo(k, wb)) {
      const chunk = chunkPages(k, wb, work);
      const wrote = yield* writeCyclic(k, object, chunk);
      work.pages -= wrote;
      progress += wrote + (requeueInode(k, wb, object, wrote >= chunk) ? 1 : 0);
      // Often enough it looks whether it is to go on.
      if (progress > 0 && (jiffiesOf(k.nowUs) > start + HZ / 10 || work.pages <= 0)) break;
    }
    if (progress === 0) return;
  }
}

/** wb_workfn: what was asked for, what has been dirty for half a minute, and what is too much. */
function* workfn(k: Kernel, wb: BdiWriteback): Generator<void, void> {
  do {
    for (let asked = wb.works.shift(); asked; asked = wb.works.shift()) {
      yield* wbWriteback(k, wb, { pages: asked.pages, kind: 'pages' });
      asked.foreign.inFlight = false;
    }
    if (wb.startsAll) {
      yield* wbWriteback(k, wb, { pages: k.vmstat.nr_dirty, kind: 'pages' });
      wb.startsAll = false;
    }
    if (jiffiesOf(k.nowUs) >= wb.lastOldFlush + k.dirtyWriteback) {
      wb.lastOldFlush = jiffiesOf(k.nowUs);
      yield* wbWriteback(k, wb, { pages: k.vmstat.nr_dirty, kind: 'kupdate' });
    }
    yield* wbWriteback(k, wb, { pages: Number.POSITIVE_INFINITY, kind: 'background' });
  } while (wb.works.length > 0);
  wb.wakeUs = hasDirtyIo(k, wb) ? timerExpiresAfter(k.nowUs, k.dirtyWriteback) : 0;
}

const runningFlushers = new WeakMap<Kernel, BdiWriteback[]>();

/** The flushers that want the processor. */
function runningOf(k: Kernel): BdiWriteback[] {
  const existing = runningFlushers.get(k);
  if (existing) return existing;
  const fresh: BdiWriteback[] = [];
  runningFlushers.set(k, fresh);
  return fresh;
}

/** wb_wakeup: it has slept, so that it has the processor before who woke it. */
export function wbWakeup(k: Kernel, wb: BdiWriteback): void {
  if (wb.steps) return;
  wb.steps = workfn(k, wb);
  const running = runningOf(k);
  if (running.length === 0) k.flusherBehindUs = 0;
  else k.flusherBehindUs += (k.nowUs - k.flusherLeftUs) * running.length;
  k.flusherBehindUs += k.profile.features.sleepersKeepLag ? LAG_US : SLEEPER_CREDIT_US;
  k.flusherLeftUs = k.nowUs;
  k.flusherTurnUs = k.nowUs;
  running.push(wb);
}

/** wakeup_flusher_threads: reclaim met a dirty page at the end of the list. */
export function wakeupFlusherThreads(k: Kernel): void {
  for (const wb of writebacksOf(k)) {
    if (wb.startsAll || wb.reclaimable.sum() === 0) continue;
    wb.startsAll = true;
    wbWakeup(k, wb);
  }
}

/** mem_cgroup_flush_foreign: the group's pages in files of others are written by their flushers. */
export function flushForeign(k: Kernel, { group }: BdiWriteback): void {
  const now = jiffiesOf(k.nowUs);
  for (const foreign of foreignDirtyOf(group)) {
    if (foreign.at === 0 || foreign.inFlight || foreign.at <= now - k.dirtyExpire) continue;
    foreign.at = 0;
    const owner = foreign.wb;
    if (!owner.group.online) continue;
    foreign.inFlight = true;
    owner.works.push({ pages: Math.floor((lruvecEventState(k, owner.group, 'file_dirty') * 10) / 8), foreign });
    wbWakeup(k, owner);
  }
}

/** The tick that finds that somebody, who was so far behind the other, has had his slice and is ahead now. */
function sliceEndUs(k: Kernel, behindUs: number): number {
  const least = Math.max(behindUs, k.profile.features.sleepersKeepLag ? 0 : SLICE_US);
  return Math.max(jiffiesOf(k.nowUs) + 1, Math.ceil((k.nowUs + least) / JIFFY_US)) * JIFFY_US;
}

/** Nobody else wants the processor until then. */
export function runFlushers(k: Kernel, untilUs: number, inTurns = false): void {
  if (k.flusherTurnUs === Number.POSITIVE_INFINITY) return;
  const startUs = k.nowUs;
  const running = runningOf(k);
  const { current } = k;
  k.current = null;
  while (running.length > 0 && k.nowUs < untilUs) {
    const wb = running[0]!;
    if (!wb.steps!.next().done) continue;
    running.shift();
    wb.steps = undefined;
  }
  if (inTurns) k.flusherBehindUs -= k.nowUs - startUs;
  else k.flusherBehindUs = k.profile.features.sleepersKeepLag ? 0 : -SLEEPER_CREDIT_US;
  k.flusherLeftUs = k.nowUs;
  k.flusherTurnUs = running.length > 0 ? sliceEndUs(k, -k.flusherBehindUs / running.length) : Number.POSITIVE_INFINITY;
  k.current = current;
}

/** Who has the processor gives it to the flushers where it is their turn. */
export function flushersTurn(k: Kernel): void {
  if (k.nowUs < k.flusherTurnUs) return;
  k.flusherBehindUs += (k.nowUs - k.flusherLeftUs) * runningOf(k).length;
  runFlushers(k, sliceEndUs(k, k.flusherBehindUs), true);
}

/** Somebody else has had the processor for a moment: flushers need not wait for the tick where they have had less of it than who ran. */
export function rescheduled(k: Kernel): void {
  if (k.flusherTurnUs < Number.POSITIVE_INFINITY && k.flusherBehindUs + k.nowUs - k.flusherLeftUs > 0)
    k.flusherTurnUs = Math.min(k.flusherTurnUs, k.nowUs);
}

/** When the next flusher wakes by itself. */
export function flusherWakeUs(k: Kernel): number {
  let first = Number.POSITIVE_INFINITY;
  for (const wb of writebacksOf(k)) if (!wb.steps && wb.wakeUs > 0) first = Math.min(first, wb.wakeUs);
  return first;
}

/** Those whose time has come wake. */
export function wakeFlushers(k: Kernel): void {
  for (const wb of writebacksOf(k)) if (wb.wakeUs > 0 && wb.wakeUs <= k.nowUs) wbWakeup(k, wb);
}
