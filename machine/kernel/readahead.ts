/** struct file_ra_state and vma->swap_readahead_info: how far reads go ahead of who reads. */

/** vma->swap_readahead_info: the last fault on swap, how many were read with it, and how many of them were used since. */
export interface SwapReadahead {
  readonly page: number;
  readonly window: number;
  readonly hits: number;
}

/** file_ra_state: what a file's readers have been read ahead. */
export interface Readahead {
  start: number;
  size: number;
  asyncSize: number;
  prevPos: number;
  mmapMiss: number;
  random: boolean;
}

export const newReadahead = (): Readahead => ({
  start: 0,
  size: 0,
  asyncSize: 0,
  prevPos: -1,
  mmapMiss: 0,
  random: false,
});

/** 1 << page_cluster: pages read at once where more than one process names the first. */
const MAX_WINDOW = 8;

/** __swapin_nr_pages: how many, from how many of the last were used. */
export function swapinNrPages({ page: before, window: previous, hits }: SwapReadahead, page: number): number {
  let pages = hits + 2;
  if (pages === 2) {
    if (page !== before + 1 && page !== before - 1) pages = 1;
  } else {
    let rounded = 4;
    while (rounded < pages) rounded *= 2;
    pages = rounded;
  }
  return Math.max(Math.min(pages, MAX_WINDOW), Math.floor(previous / 2));
}
