import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { encodeHtb } from './binary.ts';
import { packerFor } from './compression.ts';
import { formatTrace } from './writer.ts';

/**
 * Writes a trace in the form that the name asks for: `.htb` is binary, anything else text; `.gz` or `.zst` behind it is
 * compressed; `-` is text on the standard output. The file appears under its name when it is complete.
 */
export async function writeTrace(path: string, events: EventBuffer): Promise<void> {
  if (path === '-') {
    await pipeline(Readable.from(formatTrace(events)), process.stdout, { end: false });
    return;
  }
  const parts = /\.htb(\.gz|\.zst)?$/.test(path) ? encodeHtb(events) : formatTrace(events);
  const pack = packerFor(path);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = createWriteStream(temporary);
    if (pack) await pipeline(Readable.from(parts), pack, file);
    else await pipeline(Readable.from(parts), file);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError(`${path}: found ${message.split(',')[0]}, expected a file that can be written`);
  }
}
