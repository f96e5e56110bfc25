export interface TerminalLine {
  readonly label: string;
  readonly values: readonly number[];
}

const DOT_COLUMNS = 2; // of a braille cell
const DOT_ROWS = 4;
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** Characters that name the lines where two meet in a cell, the later one wins. */
const STYLES = ['', '\u001b[36m', '\u001b[33m', '\u001b[35m', '\u001b[32m', '\u001b[31m'] as const;

export interface TerminalPlotOptions {
  /** Of the whole drawing with its labels. */
  readonly columns: number;
  readonly height: number;
  readonly yText: (value: number) => string;
  readonly xText: (value: number) => string;
  readonly colours: boolean;
}

/** Curves in braille dots: two by four a character. Each column of dots shows the greatest of what falls into it. */
export function terminalPlot(
  x: readonly number[],
  lines: readonly TerminalLine[],
  options: TerminalPlotOptions,
): string {
  const { height, yText, xText, colours } = options;
  let top = 0;
  for (const line of lines) for (const value of line.values) if (value > top) top = value;
  const axis = [yText(top), yText(top / 2), yText(0)];
  const margin = Math.max(...axis.map((a) => a.length));
  const width = Math.max(10, options.columns - margin - 2);
  const dots = new Uint8Array(width * height);
  const owner = new Int8Array(width * height).fill(-1);
  const columns = width * DOT_COLUMNS;
  const rows = height * DOT_ROWS;
  const first = x[0] ?? 0;
  const span = (x.at(-1) ?? first) - first || 1;
  for (const [index, line] of lines.entries()) {
    const most: (number | undefined)[] = new Array(columns);
    const last: (number | undefined)[] = new Array(columns);
    for (const [i, value] of line.values.entries()) {
      const column = Math.min(columns - 1, Math.floor(((x[i]! - first) / span) * columns));
      most[column] = Math.max(most[column] ?? 0, value);
      last[column] = value;
    }
    let held = line.values[0] ?? 0;
    let previous: number | undefined;
    for (let column = 0; column < columns; column++) {
      const value = most[column] ?? held;
      held = last[column] ?? held;
      const y = top === 0 ? 0 : Math.min(rows - 1, Math.round((value / top) * (rows - 1)));
      // A jump is drawn as a line up or down.
      const from = previous === undefined ? y : previous;
      for (let dot = Math.min(y, from); dot <= Math.max(y, from); dot++) {
        const row = rows - 1 - dot;
        const cell = Math.floor(row / DOT_ROWS) * width + Math.floor(column / DOT_COLUMNS);
        dots[cell]! |= DOTS[row % DOT_ROWS]![column % DOT_COLUMNS]!;
        owner[cell] = index;
      }
      previous = y;
    }
  }
  const out: string[] = [];
  for (let row = 0; row < height; row++) {
    const label = row === 0 ? axis[0]! : row === Math.floor(height / 2) ? axis[1]! : row === height - 1 ? axis[2]! : '';
    let text = `${label.padStart(margin)} ┤`;
    for (let column = 0; column < width; column++) {
      const cell = row * width + column;
      const character = dots[cell] === 0 ? ' ' : String.fromCharCode(0x2800 + dots[cell]!);
      const style = colours && owner[cell]! >= 0 ? STYLES[owner[cell]! % STYLES.length]! : '';
      text += style && character !== ' ' ? `${style}${character}\u001b[39m` : character;
    }
    out.push(text.trimEnd());
  }
  out.push(`${' '.repeat(margin + 1)}└${'─'.repeat(width)}`);
  const indent = ' '.repeat(margin + 2);
  const end = xText(x.at(-1) ?? 0);
  out.push(`${indent}${xText(first).padEnd(Math.max(0, width - end.length))}${end}`);
  out.push(...legend(lines, width, colours).map((line) => indent + line));
  return `${out.join('\n')}\n`;
}

/** Names beside each other as long as they fit; one that is too long alone loses its end. */
function legend(lines: readonly TerminalLine[], width: number, colours: boolean): string[] {
  const rows: string[] = [];
  let used = Infinity;
  for (const [i, line] of lines.entries()) {
    const label = line.label.length > width - 3 ? `${line.label.slice(0, width - 4)}…` : line.label;
    const style = colours ? STYLES[i % STYLES.length]! : '';
    const text = `${style}⠒⠒ ${label}${style ? '\u001b[39m' : ''}`;
    if (used + 3 + label.length + 3 > width) {
      rows.push(text);
      used = label.length + 3;
    } else {
      rows[rows.length - 1] += `   ${text}`;
      used += label.length + 6;
    }
  }
  return rows;
}
