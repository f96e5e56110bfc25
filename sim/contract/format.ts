import type { Bytes, Ns } from './units.ts';

/** 1,234,567 */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 1 fault, 2 faults; `many` where an s does not make it. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Three or more significant digits with a binary unit: 960 B, 12.0 KiB, 1.53 MiB. */
export function bytes(value: Bytes): string {
  let scaled = Math.abs(value);
  let unit = 0;
  while (scaled >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const digits = unit === 0 ? 0 : scaled < 10 ? 2 : 1;
  return `${value < 0 ? '-' : ''}${scaled.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

const NS_UNITS = ['ns', 'µs', 'ms', 's'] as const;

export function duration(value: Ns): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 1000 && unit < NS_UNITS.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(scaled) : scaled.toPrecision(scaled < 1000 ? 3 : 4)} ${NS_UNITS[unit]}`;
}

/** 12.3 % */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Rows as aligned columns two spaces apart; `align` holds l or r for each column, the last letter for all beyond. */
export function columns(rows: readonly (readonly string[])[], align: string, indent = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, visibleLength(cell));
    });
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const padding = ' '.repeat(widths[i]! - visibleLength(cell));
      return (align[i] ?? align.at(-1)) === 'r' ? padding + cell : cell + padding;
    });
    return (indent + cells.join('  ')).trimEnd();
  });
}

/** Length on the screen: without the escape sequences that colour it. */
export function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  return text.replace(/\u001b\[\d+m/g, '').length;
}
