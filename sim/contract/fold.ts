import { visibleLength } from './format.ts';

/**
 * Breaks a text into lines of at most `width` characters; those after the first begin with `indent`. It breaks after spaces, not between
 * a figure and its unit, and where a word is longer than a line after commas, slashes and plus signs: never inside a word.
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

/** What CI systems take for an order where it begins a line. */
const ORDER = /^(::|##)/;

/** A word with the spaces behind it; a figure and its unit are one. */
const WORD = /^\s+\S+\s*|\S*\d (?:%|[KMGT]i?B|B|ns|µs|ms|s)(?!\w)\S*\s*|\S+\s*/g;

/** Words; longer ones cut after punctuation. No line can come to begin with an order. */
function pieces(text: string, longest: number): string[] {
  const parts = (text.match(WORD) ?? []).flatMap((word) =>
    visibleLength(word.trimEnd()) <= longest ? [word] : (word.match(/[^,/+]*[,/+]+\s*|[^,/+]+\s*$/g) ?? [word]),
  );
  const joined: string[] = [];
  for (const part of parts) {
    if (joined.length > 0 && ORDER.test(part)) joined[joined.length - 1] += part;
    else joined.push(part);
  }
  return joined;
}
