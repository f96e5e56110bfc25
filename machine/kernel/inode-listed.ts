/** i_io_list and dirtied_when: on which of its flusher's lists a dirty file is. */

/** Where a file is: `dirty` by when it became so, `io` next in turn, `more` after a chunk that was not all of it. */
export type InodeList = 'dirty' | 'io' | 'more';

/** A file's place: what is written of it by others (fsync) leaves it there, as dirty as it was, until its flusher comes. */
export interface InodeListed {
  list: InodeList;
  dirtiedWhenUs: number;
  /** Its place among those of `io` and of `more`. */
  order: number;
}
