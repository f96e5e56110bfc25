/** Why the compiler refused an event; 0: it did not. The event has become a SKIPPED row. */
export const FINE = 0;
export const OBJECT_DEAD = 1;
export const OBJECT_LIVE = 2;
export const OBJECT_OF_MALLOC = 3;
export const OBJECT_OF_EMALLOC = 4;
export const BLOCK_TOO_LARGE = 5;
export const ALIGNMENT_INVALID = 6;
export const CLOCK_TOO_LARGE = 7;
export const SITE_UNKNOWN = 8;
export type Refusal = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
