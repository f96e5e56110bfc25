import { fold } from '../../../sim/contract/fold.ts';
import { columns, visibleLength } from '../../../sim/contract/format.ts';

export { fold, visibleLength };

/** Beside a name and a figure: the margin of the table, and the gap. */
const GAPS = 4;

/** Names of rows that leave no room for some column go on below, from half of the width on. */
function foldNames(rows: readonly (readonly string[])[], width: number): readonly (readonly string[])[] {
  const widest = (cells: readonly string[]) => Math.max(0, ...cells.map(visibleLength));
  const name = widest(rows.map(([cell = '']) => cell));
  if (name + GAPS + widest(rows.flatMap((row) => row.slice(1))) <= width) return rows;
  return rows.flatMap(([cell = '', ...rest]) => {
    const [first = '', ...more] = fold(cell, Math.floor(width / 2), '  ');
    return [[first, ...rest], ...more.map((line) => [line])];
  });
}

/** A table whose first column names the rows: in blocks below each other where its columns do not fit beside each other. */
export function columnBlocks(table: readonly (readonly string[])[], width: number): string[] {
  const rows = foldNames(table, width);
  const count = Math.max(...rows.map((row) => row.length));
  const lines: string[] = [];
  for (let from = 1; from < count; ) {
    let to = from + 1;
    const block = (end: number) =>
      columns(
        rows.map((row) => [row[0] ?? '', ...row.slice(from, end)]),
        'lr',
      );
    while (to < count && block(to + 1).every((line) => visibleLength(line) <= width)) to++;
    if (lines.length > 0) lines.push('');
    lines.push(...block(to));
    from = to;
  }
  return lines;
}

/** An environment variable that is set in a shell, a Dockerfile or a unit: what is pasted in two lines sets something else. */
const ASSIGNMENT = /^ *(export |ENV |Environment=)?[A-Z][A-Z_]+=\S/;

/**
 * Breaks the lines of a text for people that are longer than `width`. A broken line goes on below where its last column
 * begins, if that leaves half of the width, else two characters further in; prose goes on at its own margin. Lines to paste stay whole.
 */
export function fitWidth(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      if (visibleLength(line) <= width || ASSIGNMENT.test(line)) return [line];
      const column = lastColumn(line);
      const indent = column === 0 ? margin(line) : column <= width / 2 ? column : margin(line) + 2;
      return fold(line, width, ' '.repeat(indent));
    })
    .join('\n');
}

const margin = (line: string) => /^ */.exec(line)![0].length;

/** Where the text behind the last wide gap begins; 0 where there is none. */
function lastColumn(line: string): number {
  const gaps = [...line.matchAll(/\S( {2,})(?=\S)/g)];
  const last = gaps.at(-1);
  return last === undefined ? 0 : visibleLength(line.slice(0, last.index + last[0].length));
}
