const FIRST_PIECE = 1024;
const LARGEST_PIECE = 1 << 18;
/** Pieces are made so long that Ctrl-C is heard several times a second, however slow the work is. */
const PIECE_MS = 20;
/** Other threads wait for this one: what they have finished is heard, and what comes next is handed out, between two pieces. */
const YIELD_MS = 5;
const PROGRESS_MS = 100;

export interface Piecework {
  /** Executes about so many events; false when there are no more. */
  readonly advance: (events: number) => boolean;
  readonly onProgress: (() => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Works to the end or the signal, letting the event loop breathe so that progress and Ctrl-C work. */
export async function inPieces({ advance, onProgress, signal }: Piecework): Promise<void> {
  let piece = FIRST_PIECE;
  let started = performance.now();
  let yielded = started;
  let told = started;
  while (!signal?.aborted && advance(piece)) {
    const now = performance.now();
    if (now - started < PIECE_MS / 2) piece = Math.min(LARGEST_PIECE, piece * 2);
    else if (now - started > PIECE_MS) piece = Math.max(1, piece >> 1);
    if (now - told > PROGRESS_MS) {
      onProgress?.();
      told = now;
    }
    if (now - yielded > YIELD_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      yielded = performance.now();
    }
    started = performance.now();
  }
}
