import { visibleLength } from '../../sim/contract/format.ts';

export { visibleLength };

/**
 * Breaks a text into lines of at most `width` characters; those after the first begin with `indent`. It breaks after spaces,
 * and where a word is longer than a line after commas, slashes and plus signs: never inside a word.
 */
export function fold(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  let isEmpty = true;
  for (const piece of pieces(text, Math.max(20, width - indent.length))) {
    if (!isEmpty && visibleLength(line + piece.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = indent;
      isEmpty = true;
    }
    line += isEmpty && lines.length > 0 ? piece.trimStart() : piece;
    isEmpty = false;
  }
  if (!isEmpty) lines.push(line.trimEnd());
  return lines;
}

/** Words with the spaces behind them; longer ones cut after punctuation. */
function pieces(text: string, longest: number): string[] {
  return (text.match(/^\s+\S+\s*|\S+\s*/g) ?? []).flatMap((word) =>
    visibleLength(word.trimEnd()) <= longest ? [word] : (word.match(/[^,/+]*[,/+]+\s*|[^,/+]+\s*$/g) ?? [word]),
  );
}
