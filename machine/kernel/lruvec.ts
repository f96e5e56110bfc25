/** include/linux/mm_inline.h: a frame's place on the LRU lists of its group. */
import { PG_ANON, PG_MLOCKED } from './frames.ts';
import type { Kernel } from './kernel.ts';

/** lruvec_add_folio: puts the frame at the head of the list that its flags name. */
export function lruvecAdd(k: Kernel, frame: number, tail = false): void {
  const { frames } = k;
  frames.addToList(frame, frames.group[frame]!, frames.lruOf(frame), tail);
}

/** lruvec_del_folio. */
export function lruvecDel(k: Kernel, frame: number): void {
  const { frames } = k;
  frames.removeFromList(frame, frames.group[frame]!, frames.lruOf(frame));
}

/** folio_evictable. */
export function isEvictable(k: Kernel, frame: number): boolean {
  const flags = k.frames.flags[frame]!;
  if (flags & PG_MLOCKED) return false;
  return (flags & PG_ANON) !== 0 || k.objects[k.frames.owner[frame]!]?.kind !== 'ramfs';
}
