// Where everything lies in the memory that lines are read in: for both sides, TypeScript and what is compiled to WebAssembly.

/** Words that both sides count in; the last three are doubles. */
export const ROWS = 0; // in the columns
export const OTHER_ROWS = 4; // of this call, that are no malloc or free
export const FREE_SLOT = 8;
export const OBJECT_SLOTS = 12;
export const THREAD = 16; // of the last line
export const THREAD_SLOT = 20;
export const LIVE_BYTES = 24;
export const PEAK_BYTES = 32;
export const CLOCK_NS = 40;

/** Rows that a call may give. */
export const ROWS_MAX = 2048;

/** By thread number: of a thread that is alive its slot, plus one. */
export const THREADS_MAX = 1 << 16;
export const THREADS = 1 << 16;

/** The lines. A few bytes behind them are looked at too. */
export const TEXT_BYTES = 1 << 20;
export const TEXT = 1 << 19;

/** Columns: of a compiler that hands its rows over a piece at a time they are its own. */
export const COLUMN_ROWS = (1 << 15) + ROWS_MAX;
const COLUMN_BYTES = 4 * COLUMN_ROWS;
export const HEAD = 1 << 21;
export const SLOT = HEAD + COLUMN_BYTES;
export const A = SLOT + COLUMN_BYTES;
/** Zero but for the other rows. */
export const B = A + COLUMN_BYTES;

/** By object slot: its size, and of a free one the slot that was freed before it; what else a compiler knows of it. */
export const SLOTS_MAX = 1 << 22;
export const SIZES = 1 << 24;
export const NEXT = SIZES + 4 * SLOTS_MAX;
export const PREVIOUS = NEXT + 4 * SLOTS_MAX;
export const OWNER = PREVIOUS + 4 * SLOTS_MAX;

/** By object id: the slot of an object that is live. */
export const IDS_MAX = 1 << 25;
export const SLOT_OF_ID = OWNER + 4 * SLOTS_MAX;

/** As asconfig.json has it too, in pages of 64 KiB. */
export const MEMORY_BYTES = SLOT_OF_ID + 4 * IDS_MAX;
