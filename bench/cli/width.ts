import { fold } from '../../sim/contract/fold.ts';

/** Where no terminal says how wide it is. */
const WIDTH = 80;
/** Longer lines are hard to read. */
const WIDTH_MAX = 120;
const WIDTH_MIN = 40;

/** Columns of what people read. */
export function terminalWidth(): number {
  return within(process.stdout.isTTY ? process.stdout.columns : Number(process.env['COLUMNS']));
}

/** A message beside the answer: one line for files and programs, and as wide as the terminal is where it goes to one. */
export function messageText(line: string): string {
  return process.stderr.isTTY ? fold(line, within(process.stderr.columns), '  ').join('\n') : line;
}

const within = (columns: number) => Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, columns || WIDTH));
