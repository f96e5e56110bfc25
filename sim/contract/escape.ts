/** What traces and scripts name is shown as text: see bench/report/escape.ts for what pages and CI systems need. */

/** As `\x1b` or `\u2028`. */
export const shownByNumber = (c: string) => {
  const code = c.codePointAt(0)!;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/**
 * What moves a terminal's cursor, changes its state or the order of what is read: C0 and C1 controls, line and paragraph
 * separators, marks of direction.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are shown by number
export const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** All but ends of lines, of which long texts have millions. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CONTROLS_WITHIN_LINES = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name inside a line of text: controls are shown as `\x1b`. */
export function escapeLine(text: string): string {
  return text.replace(CONTROLS, shownByNumber);
}

const jsonNumber = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * JSON that does nothing to a terminal, and that GitHub's runner takes for no order where it comes to a log: it looks for `##[` anywhere
 * in a line. Whoever parses it finds the same text.
 */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent).replaceAll('##[', `##${jsonNumber('[')}`);
  return text.replace(CONTROLS_WITHIN_LINES, jsonNumber);
}

/** A name in data for programs that has no way of its own to hold an order of GitHub's runner. */
export function escapeField(text: string): string {
  return escapeLine(text).replaceAll('##[', `##${shownByNumber('[')}`);
}

/**
 * A field of CSV; what a spreadsheet would take for a formula has an apostrophe before it, and GitHub's runner for an order finds none.
 */
export function csvField(value: string): string {
  const text = escapeField(value);
  const plain = /^[=+\-@]/.test(text) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",]|^\s*::/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
}

/** A table for spreadsheets (RFC 4180, with line feeds); null is an empty field, and no figure has more digits than it is good for. */
export function csvText(
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): string {
  return `${[head, ...rows].map((row) => row.map((field) => csvField(`${shortened(field) ?? ''}`)).join(',')).join('\n')}\n`;
}

/** Six digits, or whole numbers. */
function shortened(field: string | number | boolean | null): string | number | boolean | null {
  if (typeof field !== 'number' || Number.isInteger(field)) return field;
  return Math.abs(field) >= 1e5 ? Math.round(field) : Number(field.toPrecision(6));
}
