import { UserError } from '../../sim/contract/assert.ts';

/** A line that is longer than this, in characters, is not one of a log. */
const LINE_LIMIT = 1 << 20;
const SHOWN = 60;

/** What stands in a log, fit for a message: short, quoted, without characters that a terminal obeys. */
export function quotedLine(text: string): string {
  const quotes = JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
  return quotes.replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The lines of a text in UTF-8, ended by LF or CRLF and by nothing else; a last one without end counts. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, source: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let number = 0;
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      number++;
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
    }
    if (rest.length > LINE_LIMIT) {
      throw new UserError(
        `${source}:${number + 1}: found a line of more than ${LINE_LIMIT} characters, expected a log`,
      );
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
