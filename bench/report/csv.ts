import { csvField } from './escape.ts';

/** A table for spreadsheets (RFC 4180, with line feeds); null is an empty field. */
export function csvText(
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): string {
  return `${[head, ...rows].map((row) => row.map((field) => csvField(`${field ?? ''}`)).join(',')).join('\n')}\n`;
}
