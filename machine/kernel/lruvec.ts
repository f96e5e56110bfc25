/** include/linux/mm_inline.h: a frame's place on the LRU lists of its group. */
import { LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, PG_ANON, PG_MLOCKED } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { lruGenAddFolio, lruGenDelFolio } from './lru-gen-folio.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { lruvecPageState, updateStat } from './rstat.ts';

/** lruvec_add_folio: puts the frame at the head of the list that its flags name. */
export function lruvecAdd(k: Kernel, frame: number, tail = false): void {
  const { frames } = k;
  if (lruGenAddFolio(k, frame, tail)) return;
  const group = frames.group[frame]!;
  updateStat(k, k.groups[group]!, frames.sizeOf(frame));
  frames.addToList(frame, group, frames.lruOf(frame), tail);
}

/** lruvec_del_folio. */
export function lruvecDel(k: Kernel, frame: number): void {
  if (lruGenDelFolio(k, frame, false)) return;
  const { frames } = k;
  const group = frames.group[frame]!;
  updateStat(k, k.groups[group]!, frames.sizeOf(frame));
  frames.removeFromList(frame, group, frames.lruOf(frame));
}

/** folio_evictable. */
export function isEvictable(k: Kernel, frame: number): boolean {
  const flags = k.frames.flags[frame]!;
  if (flags & PG_MLOCKED) return false;
  return (flags & PG_ANON) !== 0 || k.objects[k.frames.owner[frame]!]?.kind !== 'ramfs';
}

/** lru_note_cost: a list whose pages had to be written, or came back, is scanned less. */
export function lruNoteCost(k: Kernel, group: MemCgroup, file: boolean, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (file) at.fileCost += pages;
    else at.anonCost += pages;
    let size = 0;
    for (let lru = LRU_INACTIVE_ANON; lru <= LRU_ACTIVE_FILE; lru++) size += lruvecPageState(k, at, lru);
    if (at.anonCost + at.fileCost <= size / 4) continue;
    at.anonCost = Math.floor(at.anonCost / 2);
    at.fileCost = Math.floor(at.fileCost / 2);
  }
}
