import { HUGE_PAGES, type Page, type Pages } from '../contract/units.ts';
import type { FarArea } from './far-area.ts';
import { FENCE_PAGE, MMAP_BOTTOM_PAGE } from './layout.ts';
import type { VmaTable } from './vma.ts';

/**
 * Where Linux puts a mapping: at the top of the highest hole that is large enough. From 6.7 on (`alignsHugeLengths`) a length that is a
 * multiple of 2 MiB is asked for with 2 MiB more and then moved up to the last multiple of 2 MiB (__thp_get_unmapped_area); not so
 * where the caller gave a hint, even one that could not be followed.
 */
export function createUnmappedArea(vmas: VmaTable, far: FarArea, alignsHugeLengths: boolean) {
  /** The first page, or -1 where there is no hole. */
  function highest(pages: Pages, aligns: boolean): Page {
    if (aligns) {
      const end = vmas.highestHole(pages + HUGE_PAGES, MMAP_BOTTOM_PAGE, FENCE_PAGE);
      if (end > 0) return Math.floor((end - pages) / HUGE_PAGES) * HUGE_PAGES;
    }
    const end = vmas.highestHole(pages, MMAP_BOTTOM_PAGE, FENCE_PAGE);
    return end === 0 ? -1 : end - pages;
  }

  /** `byPage`: the caller needs no more than page numbers (MAP_BY_PAGE). */
  return function unmappedArea(pages: Pages, hinted: boolean, byPage: boolean): Page {
    const aligns = alignsHugeLengths && !hinted && pages % HUGE_PAGES === 0;
    if (byPage && far.takes(pages)) return far.place(pages, (kept) => highest(kept, aligns));
    const start = highest(pages, aligns);
    return start < 0 && byPage && far.pages > 0 ? far.place(pages, () => -1) : start;
  };
}
