import { escapeTerminal } from '../report/escape.ts';

/** Text for people on the standard output. */
export function show(text: string): void {
  process.stdout.write(escapeTerminal(text));
}
