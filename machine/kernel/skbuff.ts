/** unix_stream_sendmsg and sock_alloc_send_pskb: what a message takes that nobody has read. */

/** SKB_MAX_ORDER(0, 2) and UNIX_SKB_FRAGS_SZ: of longer messages there are several pieces. */
const SHARED_INFO_BYTES = 320;
const LARGEST_HEAD_BYTES = 4 * 4096 - SHARED_INFO_BYTES;
const LARGEST_PAGES_BYTES = 32768;
/** SKB_MAX_HEAD(0). */
const HEAD_IN_PAGE_BYTES = 4096 - SHARED_INFO_BYTES;
/** SMP_CACHE_BYTES, of SKB_DATA_ALIGN. */
const CACHE_LINE = 64;

/** kmalloc's size for so many bytes. */
function kmallocSize(bytes: number): number {
  if (bytes > 64 && bytes <= 96) return 96;
  if (bytes > 128 && bytes <= 192) return 192;
  return 2 ** Math.ceil(Math.log2(Math.max(8, bytes)));
}

/** Bytes of the heads' objects, and of whole pages. */
export interface QueuedMessage {
  readonly heads: readonly number[];
  readonly pageBytes: number;
}

export function queuedMessage(bytes: number): QueuedMessage {
  const heads: number[] = [];
  let pageBytes = 0;
  for (let left = bytes; left > 0; ) {
    const size = Math.min(left, LARGEST_HEAD_BYTES + LARGEST_PAGES_BYTES);
    const inPages = Math.min(size, Math.ceil(Math.max(0, size - HEAD_IN_PAGE_BYTES) / 4096) * 4096);
    const head = Math.ceil((size - inPages) / CACHE_LINE) * CACHE_LINE;
    heads.push(kmallocSize(head + SHARED_INFO_BYTES));
    pageBytes += Math.ceil(inPages / 4096) * 4096;
    left -= size;
  }
  return { heads, pageBytes };
}
