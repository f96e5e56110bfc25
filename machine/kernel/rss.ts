import type { Kernel, Task } from './kernel.ts';
import type { Mm } from './mm-types.ts';

/** TASK_RSS_EVENTS_THRESH. */
const RSS_EVENTS = 64;

/** add_mm_counter_fast: up to 6.1 a fault counts in the task, which adds its counts now and then. */
export function addMmCounterFast(k: Kernel, task: Task, mm: Mm, member: number, pages: number): void {
  if (k.profile.features.splitRssCounting && task.mm === mm) task.rssCache[member]! += pages;
  else mm.rss[member]! += pages;
}

/** add_mm_counter. */
export function addMmCounter(_k: Kernel, _task: Task, mm: Mm, member: number, pages: number): void {
  mm.rss[member]! += pages;
}

/** check_sync_rss_stat, at each fault. */
export function checkSyncRssStat(task: Task): void {
  if (task.rssEvents++ > RSS_EVENTS) syncMmRss(task);
}

/** sync_mm_rss. */
export function syncMmRss(task: Task): void {
  for (let member = 0; member < 4; member++) {
    if (task.rssCache[member] !== 0) {
      task.mm.rss[member]! += task.rssCache[member]!;
      task.rssCache[member] = 0;
    }
  }
  task.rssEvents = 0;
}

export function updateHiwaterRss(mm: Mm): void {
  const rss = mm.getRss();
  if (rss > mm.hiwaterRss) mm.hiwaterRss = rss;
}

export function updateHiwaterVm(mm: Mm): void {
  if (mm.totalVm > mm.hiwaterVm) mm.hiwaterVm = mm.totalVm;
}
