import type { Frame, RecordedFacts } from '../../sim/contract/event.ts';
import { NO_FRAME } from './call-sites.ts';

/** What the header lines of version 2 say, as texts: escaped, and read again. */

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', ' ': '\\s' };
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\', n: '\n', r: '\r', t: '\t', s: ' ' };

/** A text that may stand in a line, and has no tab; nor does it begin with a space, which would be passed over. */
export function escapeText(text: string): string {
  return text.replace(/[\\\n\r\t]|^ /g, (c) => ESCAPES[c]!);
}

/** Undefined where a backslash is followed by what is no escape. */
export function unescapeText(text: string): string | undefined {
  if (!text.includes('\\')) return text;
  if (/\\(?:[^\\nrts]|$)/.test(text.replaceAll('\\\\', ''))) return undefined;
  return text.replace(/\\([\\nrts])/g, (_, c: string) => ESCAPED[c]!);
}

/** FUNCTION[\tFILE:LINE[\tMODULE]], the tabs as they are. */
export function formatFrame({ functionName, file, line, module }: Frame): string {
  const place = file === '' ? '' : `${escapeText(file)}:${line}`;
  const parts = [escapeText(functionName), place, escapeText(module)];
  while (parts.length > 1 && parts.at(-1) === '') parts.pop();
  return parts.join('\t');
}

export function parseFrame(text: string): Frame | undefined {
  const parts = text.split('\t').map(unescapeText);
  const [functionName, place = '', module = ''] = parts;
  if (functionName === undefined || parts.length > 3 || parts.includes(undefined)) return undefined;
  const match = /^(.+):(\d{1,9})$/s.exec(place);
  if (!match && place !== '') return undefined;
  return { ...NO_FRAME, functionName, module, ...(match && { file: match[1]!, line: Number(match[2]) }) };
}

/** The header lines of what was known of the program, without line ends. */
export function factLines({ command, process, environment, machine, threadNames, mappings }: RecordedFacts): string[] {
  return [
    ...(command === '' ? [] : [`%command ${escapeText(command)}`]),
    ...(process ? [`%process ${process.pid} ${process.parent}`] : []),
    ...environment.map(([name, value]) => `%env ${name} ${escapeText(value)}`),
    ...machine.map(([key, value]) => `%machine ${key} ${escapeText(value)}`),
    ...threadNames.map(([thread, name]) => `%thread ${thread} ${escapeText(name)}`),
    ...mappings.map(({ bytes, residentBytes, name }) => `%mapping ${bytes} ${residentBytes} ${escapeText(name)}`),
  ];
}

export function hasFacts(facts: RecordedFacts): boolean {
  return factLines(facts).length > 0;
}
