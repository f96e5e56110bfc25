import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The event lines of a text trace, plain or gzip, with its headers apart. */
export function traceLines(path: string): { headers: string[]; events: string[] } {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { headers: lines.filter((l) => l.startsWith('%')), events: lines.filter((l) => !l.startsWith('%')) };
}

/** The line that frees what event `event` allocated, by thread `thread`. */
export function freeLine(events: readonly string[], event: number, thread: number): string {
  const [op, , object] = events[event]!.split(' ');
  return `${op!.startsWith('e') ? 'ef' : 'f'} ${thread} ${object}`;
}
