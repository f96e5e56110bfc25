/** Colours a text, or leaves it as it is where the output is no terminal. */
export interface Palette {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
}
export const PLAIN: Palette = { bold: String, dim: String, red: String, yellow: String };

/** Behind a headline, where Ctrl-C left a part. */
export function interruptedMark(partial: boolean, palette: Palette): string {
  return partial ? palette.yellow('  (partial: interrupted)') : '';
}
