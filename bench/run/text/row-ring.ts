import { assert } from '../../../sim/contract/assert.ts';
import type { EventBuffer, Rows } from '../../../sim/contract/event.ts';

/**
 * Rows on their way from the thread that reads a text to the one that executes it, in pieces.
 *
 *   pieces   0 ───────── TAKEN ─────────────────── WRITTEN ──── …
 *              executed    │  in the ring, at most    │  to be read
 *                          └────── RING_PIECES ───────┘
 */
export interface RowRing {
  readonly control: Int32Array;
  /** Of each piece in the ring: its rows, and a column after the other. */
  readonly counts: Int32Array;
  readonly words: Int32Array;
  /** What the reading thread was at work so far, ms: without its waiting for room. */
  readonly workedMs: Float64Array;
}

/** Rows of a piece: half a megabyte, which stays in a second cache between ring and replay. */
export const PIECE_ROWS = 1 << 15;
const RING_PIECES = 8;
const PIECE_WORDS = 4 * PIECE_ROWS;

const WRITTEN = 0; // pieces << 1, and whether they are all, which must be seen at once
const TAKEN = 1; // pieces
const OBJECT_SLOTS = 2; // so far
const CONTROL_WORDS = 3;
const ALL = 1;

/** A piece is read in far less; a thread that reads and has died would be waited for for ever. */
const WAIT_MS = 100;
const WAITS_MAX = 3000;

export function createRowRing(): RowRing {
  return {
    control: new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4)),
    counts: new Int32Array(new SharedArrayBuffer(RING_PIECES * 4)),
    words: new Int32Array(new SharedArrayBuffer(RING_PIECES * PIECE_WORDS * 4)),
    workedMs: new Float64Array(new SharedArrayBuffer(8)),
  };
}

/** Waits for more rows. Counts waits and not seconds: a process that was stopped meanwhile goes on as if nothing had been. */
function waitForPiece(control: Int32Array, written: number): void {
  for (let waits = 0; Atomics.load(control, WRITTEN) === written; waits++) {
    assert(waits < WAITS_MAX, 'the thread that reads a text does nothing any more');
    Atomics.wait(control, WRITTEN, written, WAIT_MS);
  }
}

/** Waits for room; `waited` hears how long, in ms. */
export function putPiece(
  { control, counts, words }: RowRing,
  { head, slot, a, b }: Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b'>,
  count: number,
  objectSlots: number,
  waited: (ms: number) => void,
): void {
  const piece = Atomics.load(control, WRITTEN) >> 1;
  const started = performance.now();
  for (let taken = Atomics.load(control, TAKEN); piece - taken === RING_PIECES; taken = Atomics.load(control, TAKEN))
    Atomics.wait(control, TAKEN, taken); // a replay that looks at everything is slow, and ends this thread when it ends
  waited(performance.now() - started);
  const place = piece % RING_PIECES;
  for (const [i, column] of [head, slot, a, b].entries())
    words.set(column.subarray(0, count), place * PIECE_WORDS + i * PIECE_ROWS);
  counts[place] = count;
  Atomics.store(control, OBJECT_SLOTS, objectSlots);
  Atomics.store(control, WRITTEN, (piece + 1) << 1);
  Atomics.notify(control, WRITTEN);
}

/** After the last piece, and after what is said beside the ring. */
export function endRing({ control }: RowRing): void {
  Atomics.or(control, WRITTEN, ALL);
  Atomics.notify(control, WRITTEN);
}

export const objectSlotsSoFar = ({ control }: RowRing): number => Atomics.load(control, OBJECT_SLOTS);

/**
 * The rows that come through the ring. `listen` is called before a piece is handed out, with whether the ring has ended: what was said
 * beside it of these rows has then been said. The last piece is handed out when it is known to be the last.
 */
export function rowsOfRing(ring: RowRing, listen: (hasEnded: boolean) => void): Rows {
  const { control, counts, words } = ring;
  const head = new Int32Array(PIECE_ROWS);
  const slot = new Int32Array(PIECE_ROWS);
  const a = new Uint32Array(PIECE_ROWS);
  const b = new Uint32Array(PIECE_ROWS);
  let piece = 0;
  let end = 0;

  function bring(row: number): number {
    if (row < end) return end;
    let written = Atomics.load(control, WRITTEN);
    // Until the piece behind it is there, or known not to come.
    for (; (written & ALL) === 0 && written >> 1 < piece + 2; written = Atomics.load(control, WRITTEN))
      waitForPiece(control, written);
    listen((written & ALL) !== 0);
    if (written >> 1 === piece) return end;
    const place = piece % RING_PIECES;
    const from = place * PIECE_WORDS;
    const count = counts[place]!;
    head.set(words.subarray(from, from + count));
    slot.set(words.subarray(from + PIECE_ROWS, from + PIECE_ROWS + count));
    a.set(words.subarray(from + 2 * PIECE_ROWS, from + 2 * PIECE_ROWS + count));
    b.set(words.subarray(from + 3 * PIECE_ROWS, from + 3 * PIECE_ROWS + count));
    piece++;
    end += count;
    Atomics.store(control, TAKEN, piece);
    Atomics.notify(control, TAKEN);
    return end;
  }

  return { head, slot, a, b, mask: PIECE_ROWS - 1, bring };
}
