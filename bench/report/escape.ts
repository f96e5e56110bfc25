import { CONTROLS, escapeLine, shownByNumber } from '../../sim/contract/escape.ts';

export { escapeLine };

/**
 * Names, labels and paths come from traces and from results of others: each place that shows them has its own
 * characters that do something. One function for each place.
 */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for XML and HTML, in elements and in quoted attributes; what XML 1.0 forbids even as an entity is left out. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '')
      .replace(CONTROLS, (c) => ('\t\n\r'.includes(c) ? c : shownByNumber(c)))
      .replace(/[&<>"']/g, (c) => ENTITIES[c]!)
  );
}

/** Names of files have at most 255 bytes: what is longer is no name that somebody wants to read. */
const WORD_MAX = 300;
const LINE_MAX = 3000;

/** What is said to a user in one line. A value in it that has no end loses its middle. */
export function messageLine(text: string): string {
  const words = text.replace(/\S{301,}/g, (word) => withoutMiddle(word, WORD_MAX));
  return escapeOrders(escapeLine(withoutMiddle(words, LINE_MAX)));
}

function withoutMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = Math.floor(most / 6);
  const [head, tail] = [text.slice(0, kept * 4), text.slice(-kept)];
  // Half a character is none.
  return `${head.replace(/[\ud800-\udbff]$/, '')}…${tail.replace(/^[\udc00-\udfff]/, '')}`;
}

/** A name that begins a line: CI systems take `::error::` and `##[command]` there for orders, so it is quoted. */
export function escapeLineStart(text: string): string {
  const line = escapeLine(text);
  return /^\s*(::|##)/.test(line) ? `“${line}”` : line;
}

/** What GitHub's runner takes for an order in a log (ActionCommand.cs): `::` where a line begins, also by folding, and `##[` anywhere. */
export function escapeOrders(text: string): string {
  return text.replace(/^[^\S\n]*:(?=:)|##\[/gm, (order) => order.slice(0, -1) + shownByNumber(order.at(-1)!));
}

/** A whole text of lines for a terminal: line ends, tabs and our colours stay. */
export function escapeTerminal(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the form of a colour
  return text.replace(/\u001b\[[0-9;]*m|[^\u001b]+|\u001b/g, (part) =>
    part.length > 1 && part.startsWith('\u001b')
      ? part
      : part.replace(CONTROLS, (c) => (c === '\n' || c === '\t' ? c : shownByNumber(c))),
  );
}

/** A name in Markdown, in lines and in cells: shown as it is, without links, mentions or elements. */
export function escapeMarkdown(text: string): string {
  return escapeLine(text)
    .replace(/[&<>]/g, (c) => ENTITIES[c]!)
    .replace(/[\\`*_[\]|~#]/g, '\\$&')
    .replace(/@/g, '&#64;')
    .replace(/:\/\//g, '&#58;//');
}

/** The text of a GitHub workflow command. */
export function escapeAnnotation(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(CONTROLS, shownByNumber);
}

/** A property of one. */
export function escapeAnnotationProperty(text: string): string {
  return escapeAnnotation(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
}

/** One word of a POSIX shell's command line, and no option: what is pasted names the file and does nothing else. */
export function shellWord(text: string): string {
  const word = text.startsWith('-') ? `./${text}` : text;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
