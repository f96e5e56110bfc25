// The thread cache: for each thread 64 pairs of words in `context.tcache`,
//
//   thread << 7 | bin << 1 ─► ┌───────┬──────┐
//                             │ first │ room │
//                             └───────┴──────┘
//
// first   the entry at the head of the bin's list, linked through FD; 0 where the bin is empty
// room    how many more chunks the bin may take: tcache_count - counts[bin] while the thread has a tcache and the bin is
//         one of tcache_bins, else 0
//
// With room instead of a count, one test answers "there is a tcache, the size qualifies, and the bin is not full".
export const TCACHE_MAX_BINS = 64;
export const TCACHE_SHIFT = 7;
/** MAX_TCACHE_SIZE: the largest request that may be cached. */
export const MAX_TCACHE_BYTES = 1032;
/** Units of the largest chunk that may be cached. */
export const MAX_TCACHE_UNITS = 65;
/** sizeof (tcache_perthread_struct), and the chunk that holds it. */
export const TCACHE_STRUCT_BYTES = 640;
