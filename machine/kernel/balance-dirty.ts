/** balance_dirty_pages (mm/page-writeback.c): who writes to a disk's files looks at the limits, and is held up. */
import { type BdiWriteback, wbBandwidthWork, wbOfCurrent, wbStatError } from './backing-dev.ts';
import { throttleControls } from './dirty-limits.ts';
import {
  freerunCeiling,
  maxPause,
  minPause,
  pollInterval,
  positionOf,
  taskRatelimit,
  updateBandwidth,
} from './dirty-throttle.ts';
import { flushersTurn, flushForeign, wbWakeup } from './flusher.ts';
import type { DirtyPause, Kernel, Task } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { HZ, jiffiesOf, timerExpiresAfter } from './timer.ts';

/** With more dirty than may be, a writer looks after each 32 KiB. */
const EXCEEDED_PAGES = 8;

/** balance_dirty_pages_ratelimited, after each page that is written. */
export function balanceDirtyPages(k: Kernel, object: AddressSpace): void {
  const task = k.current;
  if (object.kind !== 'disk' || !task) return;
  const wb = wbOfCurrent(k);
  let ratelimit = wb.dirtyExceeded ? Math.min(task.nrDirtiedPause, EXCEEDED_PAGES) : task.nrDirtiedPause;
  if (task.nrDirtied >= ratelimit) k.bdpRatelimits = 0;
  else if (k.bdpRatelimits >= k.ratelimitPages) {
    k.bdpRatelimits = 0;
    ratelimit = 0;
  }
  if (task.nrDirtied < ratelimit) {
    const leaked = Math.min(k.dirtyThrottleLeaks, ratelimit - task.nrDirtied);
    k.dirtyThrottleLeaks -= leaked;
    task.nrDirtied += leaked;
  }
  if (task.nrDirtied >= ratelimit) task.dirtyPause = balance(k, task, wb);
  if (!task.dirtyPause) flushersTurn(k);
}

/** What the writer's pause has left to be done. */
export function afterDirtyPause(k: Kernel, task: Task, { looksAgain }: DirtyPause): void {
  task.dirtyPause = looksAgain && !task.fatalSignal ? balance(k, task, wbOfCurrent(k)) : undefined;
}

function balance(k: Kernel, task: Task, wb: BdiWriteback): DirtyPause | undefined {
  const now = jiffiesOf(k.nowUs);
  wbBandwidthWork(wb, now);
  const controls = throttleControls(k, wb);
  if (controls.every((dtc) => dtc.nrDirty <= freerunCeiling(dtc))) {
    task.dirtyPausedWhen = now;
    task.nrDirtied = 0;
    task.nrDirtiedPause = Math.min(...controls.map(pollInterval));
    if (controls[0].nrDirty > controls[0].background) wbWakeup(k, wb);
    return undefined;
  }
  wbWakeup(k, wb);
  flushForeign(k, wb);
  const positions = controls.map((dtc) => positionOf(k, wb, dtc));
  wb.dirtyExceeded = positions.some(({ isExceeded }) => isExceeded);
  const [machine, own] = positions;
  const chosen = own && own.ratio < machine!.ratio ? own : machine!;
  updateBandwidth(k, wb, positions);
  return pauseOf(k, task, wb, now, chosen.ratio, chosen.wbDirty);
}

function pauseOf(
  k: Kernel,
  task: Task,
  wb: BdiWriteback,
  now: number,
  ratio: number,
  wbDirty: number,
): DirtyPause | undefined {
  const rate = taskRatelimit(wb, ratio);
  const most = maxPause(wb, wbDirty);
  const least = minPause(wb, most, rate);
  const dirtied = task.nrDirtied;
  let ticks = most;
  let from = now;
  if (rate > 0) {
    const period = Math.floor((HZ * dirtied) / rate);
    ticks = task.dirtyPausedWhen === 0 ? period : period - (now - task.dirtyPausedWhen);
    if (ticks < least.ticks) {
      if (ticks < -HZ) {
        task.dirtyPausedWhen = now;
        task.nrDirtied = 0;
      } else if (period > 0) {
        task.dirtyPausedWhen += period;
        task.nrDirtied = 0;
      } else if (task.nrDirtiedPause <= dirtied) task.nrDirtiedPause += dirtied;
      return undefined;
    }
    if (ticks > most) {
      from += Math.min(ticks - most, most);
      ticks = most;
    }
  }
  task.dirtyPausedWhen = from + ticks;
  task.nrDirtied = 0;
  task.nrDirtiedPause = least.pages;
  return { untilUs: timerExpiresAfter(k.nowUs, ticks), looksAgain: rate === 0 && wbDirty > wbStatError(k) };
}
