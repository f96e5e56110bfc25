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

/** A name inside a line of text: controls are shown as `\x1b`. */
export function escapeLine(text: string): string {
  return text.replace(CONTROLS, shownByNumber);
}

/** A field of CSV; what a spreadsheet would take for a formula has an apostrophe before it. */
export function csvField(value: string): string {
  const text = escapeLine(value);
  const plain = /^[=+\-@]/.test(text) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
}

/** A table for spreadsheets (RFC 4180, with line feeds); null is an empty field. */
export function csvText(
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): string {
  return `${[head, ...rows].map((row) => row.map((field) => csvField(`${field ?? ''}`)).join(',')).join('\n')}\n`;
}
