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
