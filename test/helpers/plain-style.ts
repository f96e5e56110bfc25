import type { TextStyle } from '../../fleet/report/text.ts';

/** Texts of fleets as they are put together, without colours and lines unbroken. */
export const plainStyle = (width: number): TextStyle => ({
  width,
  bold: (text) => text,
  dim: (text) => text,
  fold: (text) => [text],
  columnBlocks: (rows) => rows.map((row) => row.join(' ')),
});
