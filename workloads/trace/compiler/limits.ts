/** Object ids and most arguments are unsigned 32-bit numbers; larger ones are in the marks. */
export const U32_MAX = 0xffffffff;
/** 2^32 - 1 is kept for "no thread". */
export const THREAD_ID_MAX = 0xfffffffe;
/** Of the clock, ns; whatever is not smaller is no number of a trace either. */
export const NUMBER_LIMIT = 2 ** 53;
