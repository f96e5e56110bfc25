/** mm/page-writeback.c: at which rate who writes may make pages dirty, and how long it is held up. */
import { BANDWIDTH_INTERVAL, type BdiWriteback, wbDomainOf, wbStampBandwidth } from './backing-dev.ts';
import { type DirtyThrottleControl, wbReclaimable, wbThreshOf } from './dirty-limits.ts';
import type { Kernel } from './kernel.ts';
import { HZ, jiffiesOf } from './timer.ts';

/** 1 << RATELIMIT_CALC_SHIFT. */
const ONE = 1024;
/** MAX_PAUSE, in ticks. */
const MAX_PAUSE = HZ / 5;
/** DIRTY_POLL_THRESH: 128 KiB. */
const POLL_PAGES = 32;
/** roundup_pow_of_two(HZ), and of 1 + HZ / 8. */
const HZ_POW2 = 256;
const HZ_EIGHTH_POW2 = 32;

/** dirty_freerun_ceiling: below it nobody who writes is held up. */
export const freerunCeiling = ({ background, dirty }: DirtyThrottleControl): number =>
  Math.floor((background + dirty) / 2);

/** dirty_poll_interval: the less room is left, the sooner a writer looks again. */
export const pollInterval = ({ nrDirty, dirty }: DirtyThrottleControl): number =>
  dirty > nrDirty ? 1 << (Math.floor(Math.log2(dirty - nrDirty)) >> 1) : 1;

/** hard_dirty_limit. */
const hardLimit = (k: Kernel, { group, dirty }: DirtyThrottleControl): number =>
  Math.max(dirty, wbDomainOf(k, group).dirtyLimit);

/** pos_ratio_polynom. */
function polynomial(setpoint: number, dirty: number, limit: number): number {
  const x = Math.trunc(((setpoint - dirty) * ONE) / ((limit - setpoint) | 1));
  const cube = Math.floor((Math.floor((x * x) / ONE) * x) / ONE);
  return Math.min(2 * ONE, Math.max(0, cube + ONE));
}

/** wb_position_ratio: above 1,024 where less is dirty than should be, below where more is. */
function positionRatio(k: Kernel, wb: BdiWriteback, dtc: DirtyThrottleControl, wbThresh: number, wbDirty: number) {
  const limit = hardLimit(k, dtc);
  if (dtc.nrDirty >= limit) return 0;
  const setpoint = Math.floor((freerunCeiling(dtc) + limit) / 2);
  let ratio = polynomial(setpoint, dtc.nrDirty, limit);
  const thresh = Math.max(Math.min(wbThresh, dtc.dirty), Math.floor((limit - dtc.nrDirty) / 8));
  const x = Math.floor((thresh * 65536) / (dtc.dirty | 1));
  const wbSetpoint = Math.floor((setpoint * x) / 65536);
  const span = Math.floor(((dtc.dirty - thresh + 8 * wb.avgWriteBandwidth) * x) / 65536);
  const intercept = wbSetpoint + span;
  ratio =
    wbDirty < intercept - Math.floor(span / 4)
      ? Math.floor((ratio * (intercept - wbDirty)) / ((intercept - wbSetpoint) | 1))
      : Math.floor(ratio / 4);
  const reserve = Math.floor(thresh / 2);
  if (wbDirty >= reserve) return ratio;
  return wbDirty > Math.floor(reserve / 8) ? Math.floor((ratio * reserve) / wbDirty) : ratio * 8;
}

/** Of a domain: what of it is the writeback's, and how far it is from where it should be. */
export interface Position {
  readonly dtc: DirtyThrottleControl;
  readonly wbDirty: number;
  readonly isExceeded: boolean;
  readonly ratio: number;
}

export function positionOf(k: Kernel, wb: BdiWriteback, dtc: DirtyThrottleControl): Position {
  const thresh = wbThreshOf(k, wb, dtc.group, dtc.dirty);
  const wbDirty = wbReclaimable(k, wb, thresh);
  return {
    dtc,
    wbDirty,
    isExceeded: wbDirty > thresh && dtc.nrDirty > dtc.dirty,
    ratio: positionRatio(k, wb, dtc, thresh, wbDirty),
  };
}

/** domain_update_dirty_limit: up in one step, down by a thirty-second of the way. */
function updateDirtyLimit(k: Kernel, dtc: DirtyThrottleControl, now: number): void {
  const domain = wbDomainOf(k, dtc.group);
  if (now < domain.dirtyLimitStamp + BANDWIDTH_INTERVAL) return;
  domain.dirtyLimitStamp = now;
  const lowest = Math.max(dtc.dirty, dtc.nrDirty);
  if (domain.dirtyLimit < dtc.dirty) domain.dirtyLimit = dtc.dirty;
  else if (domain.dirtyLimit > lowest) domain.dirtyLimit -= (domain.dirtyLimit - lowest) >> 5;
}

/** wb_update_dirty_ratelimit: towards the rate at which as much is written as is made dirty, in small steps. */
function updateRatelimit(k: Kernel, wb: BdiWriteback, { dtc, ratio }: Position, elapsed: number): void {
  const setpoint = Math.floor((freerunCeiling(dtc) + hardLimit(k, dtc)) / 2);
  const dirtyRate = Math.floor(((wb.dirtied.read() - wb.dirtiedStamp) * HZ) / elapsed);
  const limit = wb.dirtyRatelimit;
  const task = Math.floor((limit * ratio) / ONE) + 1;
  const balanced = Math.min(wb.avgWriteBandwidth, Math.floor((task * wb.avgWriteBandwidth) / (dirtyRate | 1)));
  let step: number;
  if (dtc.nrDirty < setpoint) step = Math.max(0, Math.min(wb.balancedDirtyRatelimit, balanced, task) - limit);
  else step = Math.max(0, limit - Math.max(wb.balancedDirtyRatelimit, balanced, task));
  const shift = Math.floor(limit / (2 * step + 1));
  step = shift < 64 ? Math.ceil(Math.floor(step / 2 ** shift) / 8) : 0;
  wb.dirtyRatelimit = Math.max(1, limit < balanced ? limit + step : limit - step);
  wb.balancedDirtyRatelimit = balanced;
}

/** __wb_update_bandwidth, where a writer is to be held up. */
export function updateBandwidth(k: Kernel, wb: BdiWriteback, positions: readonly Position[]): void {
  const now = jiffiesOf(k.nowUs);
  if (now <= wb.bandwidthStamp + BANDWIDTH_INTERVAL) return;
  for (const position of positions) {
    updateDirtyLimit(k, position.dtc, now);
    updateRatelimit(k, wb, position, now - wb.bandwidthStamp);
  }
  wbStampBandwidth(wb, now);
}

/** wb_max_pause, in ticks. */
export const maxPause = (wb: BdiWriteback, wbDirty: number): number =>
  Math.min(MAX_PAUSE, 1 + Math.floor(wbDirty / (1 + Math.floor(wb.avgWriteBandwidth / HZ_EIGHTH_POW2))));

/** wb_min_pause: below how many ticks a writer goes on, and after how many pages it looks again. */
export function minPause(wb: BdiWriteback, most: number, taskRatelimit: number): { ticks: number; pages: number } {
  const excess = Math.floor(Math.log2(wb.avgWriteBandwidth)) - Math.floor(Math.log2(wb.dirtyRatelimit));
  let ticks = Math.floor(HZ / 100) + (excess > 0 ? Math.floor((excess * 10 * HZ) / 1024) : 0);
  ticks = Math.min(ticks, 1 + Math.floor(most / 2));
  const pagesIn = (rate: number) => Math.floor((rate * ticks) / HZ_POW2);
  let pages = pagesIn(wb.dirtyRatelimit);
  if (pages < POLL_PAGES) {
    ticks = most;
    pages = pagesIn(wb.dirtyRatelimit);
    if (pages > POLL_PAGES) {
      pages = POLL_PAGES;
      ticks = Math.floor((HZ * POLL_PAGES) / wb.dirtyRatelimit);
    }
  }
  if (Math.floor((HZ * pages) / (taskRatelimit + 1)) > most) {
    ticks = most;
    pages = pagesIn(taskRatelimit);
  }
  return { ticks: pages >= POLL_PAGES ? 1 + Math.floor(ticks / 2) : ticks, pages };
}

export const taskRatelimit = (wb: BdiWriteback, ratio: number): number => Math.floor((wb.dirtyRatelimit * ratio) / ONE);
