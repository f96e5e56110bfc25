// Where everything lies in the memory that rows are looked at in: for both sides, TypeScript and what is compiled to WebAssembly.

/** Rows that are there at a time: half a megabyte, which stays in a second cache between file, check and replay. */
export const PIECE_ROWS = 1 << 15;

/** Words that say where the tables begin, which are as long as the trace asks for, and how long they are. */
export const EXPECTED = 0;
export const HEADS = 4;
export const STATES = 8;
export const OBJECTS = 12;
export const SIZES = 16;
export const OWNERS = 20;
export const BORN = 24;
export const LIST_OF = 28;
export const REQUEST_BLOCKS = 32;
/** Doubles: the clock, and whether an e… event was seen. */
export const TOTALS = 40;

const COLUMN_BYTES = 4 * PIECE_ROWS;
/** The columns of these rows. */
export const HEAD = 4096;
export const SLOT = HEAD + COLUMN_BYTES;
export const A = SLOT + COLUMN_BYTES;
export const B = A + COLUMN_BYTES;
/** Values of a column as they stand in a file. */
export const STORED = B + COLUMN_BYTES;
export const TABLES = STORED + COLUMN_BYTES;

/** What an object is, by its slot. */
export const DEAD = 0;
export const OF_MALLOC = 1;
export const OF_EMALLOC = 2;
export const NO_OBJECT = 3; // slot 0
/** What a row of a head is where it is not told from the state of its object. */
export const PASSES = 16;
export const RESIZES = 17;
export const COUNTS = 18;
export const WRITES = 19;
export const EMALLOCS = 20;
export const EFREES = 21;
export const ERESIZES = 22;
