import * as layout from './lines/layout.ts';
import { openWebAssembly } from './web-assembly.ts';

/** Counters of a compiler, which the commonest lines move on. */
export interface LineCounters {
  freeSlot: number;
  objectSlots: number;
  liveBytes: number;
  peakBytes: number;
  clockNs: number;
  /** Of the last line. */
  thread: number;
  threadSlot: number;
}

/**
 * Reads lines `m T O SIZE`, `f T O`, `r T O SIZE`, `c T O COUNT SIZE` and `+ NS`, with numbers of at most eight digits, of threads that are alive
 * (of a malloc or free: below 100), by WebAssembly (`lines/assembly.ts`). A compiler whose tables lie in its memory shares them with it.
 */
export interface CommonLines {
  readonly slotOfThread: Int32Array;
  readonly slotOfId: Int32Array;
  readonly sizes: Uint32Array;
  readonly next: Int32Array;
  /** The rest of the compiler's tables: one memory is there sooner than several arrays. */
  readonly previous: Int32Array;
  readonly owner: Int32Array;
  /** Columns that `take` writes into. */
  readonly head: Int32Array;
  readonly slot: Int32Array;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  /** Where lines may lie that are shown: they need not be copied then. */
  readonly text: Uint8Array;
  /** Brings lines from bytes[from, to), which ends behind a line end; returns where those end that there is room for. */
  show(bytes: Uint8Array, from: number, to: number): number;
  /**
   * Takes lines from `from` on, which has been shown, up to the first that has another form or breaks a rule, or ROWS_MAX of them: as rows from
   * `row` on, of which `b` is written where it is not zero. Counters and tables are then those behind these lines.
   */
  take(
    from: number,
    row: number,
    counters: LineCounters,
  ): { readonly rows: number; readonly hasB: boolean; readonly stopped: number };
}

interface Exports {
  takeLines(from: number, to: number): number;
}

const LF = 10;

/** Undefined where there is no WebAssembly: every line can be read without. */
export function openCommonLines(): CommonLines | undefined {
  const opened = openWebAssembly<Exports>('lines', layout.MEMORY_BYTES);
  return opened && createCommonLines(opened.buffer, opened.exports);
}

function createCommonLines(buffer: ArrayBuffer, { takeLines }: Exports): CommonLines {
  const bytesAt = new Uint8Array(buffer);
  const wordsAt = new Int32Array(buffer);
  const doublesAt = new Float64Array(buffer);
  const signed = (place: number, length: number) => new Int32Array(buffer, place, length);
  const unsigned = (place: number, length: number) => new Uint32Array(buffer, place, length);
  const word = (place: number) => place >> 2;
  const double = (place: number) => place >> 3;
  /** From a place in the text to one in the memory, and the end of what was shown there. */
  let shift = 0;
  let end = 0;

  return {
    slotOfThread: signed(layout.THREADS, layout.THREADS_MAX),
    slotOfId: signed(layout.SLOT_OF_ID, layout.IDS_MAX),
    sizes: unsigned(layout.SIZES, layout.SLOTS_MAX),
    next: signed(layout.NEXT, layout.SLOTS_MAX),
    previous: signed(layout.PREVIOUS, layout.SLOTS_MAX),
    owner: signed(layout.OWNER, layout.SLOTS_MAX),
    head: signed(layout.HEAD, layout.COLUMN_ROWS),
    slot: signed(layout.SLOT, layout.COLUMN_ROWS),
    a: unsigned(layout.A, layout.COLUMN_ROWS),
    b: unsigned(layout.B, layout.COLUMN_ROWS),
    text: new Uint8Array(buffer, layout.TEXT, layout.TEXT_BYTES),
    show(bytes, from, to) {
      if (bytes.buffer === buffer) {
        shift = bytes.byteOffset;
        return (end = to);
      }
      const fits = to - from <= layout.TEXT_BYTES;
      end = fits ? to : Math.max(from, bytes.lastIndexOf(LF, from + layout.TEXT_BYTES - 1) + 1);
      bytesAt.set(bytes.subarray(from, end), layout.TEXT);
      shift = layout.TEXT - from;
      return end;
    },
    take(from, row, counters) {
      wordsAt[word(layout.ROWS)] = row;
      wordsAt[word(layout.OTHER_ROWS)] = 0;
      wordsAt[word(layout.FREE_SLOT)] = counters.freeSlot;
      wordsAt[word(layout.OBJECT_SLOTS)] = counters.objectSlots;
      wordsAt[word(layout.THREAD)] = counters.thread;
      wordsAt[word(layout.THREAD_SLOT)] = counters.threadSlot;
      doublesAt[double(layout.LIVE_BYTES)] = counters.liveBytes;
      doublesAt[double(layout.PEAK_BYTES)] = counters.peakBytes;
      doublesAt[double(layout.CLOCK_NS)] = counters.clockNs;
      const stopped = takeLines(from + shift, end + shift) - shift;
      counters.freeSlot = wordsAt[word(layout.FREE_SLOT)]!;
      counters.objectSlots = wordsAt[word(layout.OBJECT_SLOTS)]!;
      counters.thread = wordsAt[word(layout.THREAD)]!;
      counters.threadSlot = wordsAt[word(layout.THREAD_SLOT)]!;
      counters.liveBytes = doublesAt[double(layout.LIVE_BYTES)]!;
      counters.peakBytes = doublesAt[double(layout.PEAK_BYTES)]!;
      counters.clockNs = doublesAt[double(layout.CLOCK_NS)]!;
      return { rows: wordsAt[word(layout.ROWS)]! - row, hasB: wordsAt[word(layout.OTHER_ROWS)] !== 0, stopped };
    },
  };
}
