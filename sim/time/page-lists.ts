import { createBeginning } from '../contract/beginning.ts';

/** zone_batchsize() of a zone of a gigabyte and more: pages that a processor's list gets from the zone at once, and gives back. */
export const PCP_BATCH = 63;
/** zone_highsize() is at least so many: what a list holds before it gives pages back. */
export const PCP_HIGH = 4 * PCP_BATCH;

/** The processors' lists of free pages (struct per_cpu_pages, mm/page_alloc.c): only every batch goes to the zone, under its lock. */
export interface PageLists {
  /** Pages that faults on processor `p` can take without the zone. */
  held(p: number): number;
  /** Faults on processor `p` take pages: how many batches come from the zone (rmqueue_bulk()). */
  take(p: number, pages: number): number;
  /** Pages are freed on `p`: how many batches go back (free_pcppages_bulk()). */
  give(p: number, pages: number): number;
}

/** All lists are empty. */
export function createPageLists(processors: number, { keep } = createBeginning()): PageLists {
  const count = keep(new Int32Array(processors));
  return {
    held: (p) => count[p]!,
    take(p, pages) {
      const missing = pages - count[p]!;
      const batches = missing <= 0 ? 0 : Math.ceil(missing / PCP_BATCH);
      count[p]! += batches * PCP_BATCH - pages;
      return batches;
    },
    give(p, pages) {
      const over = count[p]! + pages - PCP_HIGH;
      const batches = over <= 0 ? 0 : Math.ceil(over / PCP_BATCH);
      count[p]! += pages - batches * PCP_BATCH;
      return batches;
    },
  };
}
