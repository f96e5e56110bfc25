/**
 * Rows that one call looks at: code that replaces a running loop knows less about its closure than code that replaces a function at its
 * next call, and is half as fast; a longer piece would be entered too seldom.
 */
export const PIECE_ROWS = 1024;

/** Rows [0, end), a piece at a time. */
export function inPieces(end: number, visit: (from: number, to: number) => void): void {
  for (let row = 0; row < end; row += PIECE_ROWS) visit(row, Math.min(end, row + PIECE_ROWS));
}

/** The same where pieces end where threads begin too: `begin`, with its place among `begins`, comes before the piece of its row. */
export function inPiecesBetween(
  begins: readonly { readonly row: number }[],
  end: number,
  begin: (i: number) => void,
  visit: (from: number, to: number) => void,
): void {
  let next = 0;
  for (let row = 0; row < end; ) {
    for (; begins[next]?.row === row; next++) begin(next);
    const to = Math.min(end, begins[next]?.row ?? end, row + PIECE_ROWS);
    visit(row, to);
    row = to;
  }
}
