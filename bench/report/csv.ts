/** A table for spreadsheets (RFC 4180, with line feeds); null is an empty field. */
export function csvText(
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): string {
  return `${[head, ...rows].map((row) => row.map((field) => csvField(`${field ?? ''}`)).join(',')).join('\n')}\n`;
}

/** What a spreadsheet would take for a formula gets an apostrophe before it. */
function csvField(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
}
