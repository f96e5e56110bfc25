import { escapeLineStart, escapeOrders, escapeTerminal } from '../report/escape.ts';
import { messageText } from './width.ts';

/** Text for people on the standard output. */
export function show(text: string): void {
  process.stdout.write(escapeOrders(escapeTerminal(text)));
}

/** Lines for a CI system to obey, whose parts are escaped. */
export function showOrders(text: string): void {
  process.stdout.write(escapeTerminal(text));
}

/** A line for people beside the answer, on standard error. */
export function note(line: string): void {
  process.stderr.write(`${messageText(escapeOrders(escapeLineStart(line)))}\n`);
}
