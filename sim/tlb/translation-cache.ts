import type { TlbGeometry } from './settings.ts';

/** A set-associative cache of page numbers that forgets the least recently used. */
export interface TranslationCache {
  /** Whether the page was there; it is now, as the latest. */
  use(page: number): boolean;
  /** Takes out pages of [first, last]. */
  drop(first: number, last: number): void;
  dropAll(): void;
}

/**
 * The ways of a set lie together, the latest first:
 *
 *     set 0 │ 17 │ 1 │ 33 │ -1 │   set 1 │ …       -1 is an empty way
 */
export function createTranslationCache({ entries, ways }: TlbGeometry): TranslationCache {
  const pages = new Float64Array(entries).fill(-1);
  const sets = entries / ways;

  function use(page: number): boolean {
    const start = (page % sets) * ways;
    if (pages[start] === page) return true;
    const end = start + ways;
    let gap = end - 1; // the way that is given up: the oldest, or one that was emptied
    let at = start;
    for (; at < end && pages[at] !== page; at++) if (pages[at] === -1) gap = at;
    const found = at < end;
    pages.copyWithin(start + 1, start, found ? at : gap);
    pages[start] = page;
    return found;
  }

  function drop(first: number, last: number): void {
    for (let i = 0; i < entries; i++) if (pages[i]! >= first && pages[i]! <= last) pages[i] = -1;
  }

  return { use, drop, dropAll: () => pages.fill(-1) };
}
