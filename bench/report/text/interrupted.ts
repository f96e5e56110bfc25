import type { Palette } from './summary.ts';

/** Behind a headline, where Ctrl-C left a part. */
export function interruptedMark(partial: boolean, palette: Palette): string {
  return partial ? palette.yellow('  (partial: interrupted)') : '';
}
