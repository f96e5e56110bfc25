/** Where no terminal says how wide it is. */
const WIDTH = 80;
/** Longer lines are hard to read. */
const WIDTH_MAX = 120;
const WIDTH_MIN = 40;

/** Columns of what people read. */
export function terminalWidth(): number {
  const columns = process.stdout.isTTY ? process.stdout.columns : Number(process.env['COLUMNS']);
  return Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, columns || WIDTH));
}
