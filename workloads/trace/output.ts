import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Interrupted, UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { openOutput } from '../files/output-file.ts';
import { encodeHtb } from './binary-writer.ts';
import { checkPacking, packerFor } from './compression.ts';
import { formatTrace } from './writer.ts';

/** Ctrl-C is heard between two breaths. */
const CHUNKS_BETWEEN_BREATHS = 16;

/** Behind the name, before what says how it is packed. A name without any is text. */
const FORMS = ['', '.htrace', '.htb', '.txt', '.trace'];

/** Refuses a name that promises something that is no trace, or that cannot be written here. */
export function checkTraceName(path: string): void {
  const form = /(?<=.)(\.[a-z][a-z0-9]*)?$/i.exec(basename(path).replace(/\.(gz|zst)$/, ''))?.[0] ?? '';
  checkPacking(path);
  if (path.startsWith('/dev/') || FORMS.includes(form.toLowerCase())) return;
  throw new UserError(
    `${path}: found the ending ${form}, expected .htrace (text) or .htb (binary), each with .gz or .zst behind it`,
  );
}

/**
 * Writes a trace in the form that the name asks for: `.htb` is binary, anything else text; `.gz` or `.zst` behind it is
 * compressed; `-` is text on the standard output. The file appears under its name when it is complete; where the signal comes before,
 * Interrupted is thrown.
 */
export async function writeTrace(path: string, events: EventBuffer, signal?: AbortSignal): Promise<void> {
  checkTraceName(path);
  const pack = path === '-' ? undefined : packerFor(path);
  const parts = /\.htb(\.gz|\.zst)?$/.test(path) ? encodeHtb(events) : formatTrace(events);
  const file = openOutput(path);
  let failure: unknown;
  try {
    const write = async (chunks: AsyncIterable<Uint8Array>) => {
      let count = 0;
      for await (const chunk of chunks) {
        try {
          file.write(chunk);
        } catch (error) {
          failure = error; // a pipeline may tell of its own end instead
          throw error;
        }
        if (++count % CHUNKS_BETWEEN_BREATHS !== 0) continue;
        await new Promise((resolve) => setImmediate(resolve));
        if (signal?.aborted) throw new Interrupted('interrupted');
      }
    };
    if (pack) await pipeline(Readable.from(parts), pack, write);
    else await pipeline(Readable.from(parts), write);
    file.close();
  } catch (error) {
    file.discard();
    throw failure ?? error;
  }
}
