import { closeSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import { systemError } from './system-error.ts';

/** Results of many runs are a few megabytes; what is longer is something else. */
const TEXT_MAX_BYTES = 256 * 2 ** 20;
const CHUNK_BYTES = 1 << 16;

/** The text of a file, a pipe or a device, or one line that says why not; `expected` names what it should be. */
export function readTextFile(path: string, expected: string): string {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    const descriptor = openSync(path, 'r');
    try {
      for (;;) {
        const chunk = Buffer.alloc(CHUNK_BYTES);
        const count = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
        if (count === 0) break;
        chunks.push(chunk.subarray(0, count));
        length += count;
        if (length > TEXT_MAX_BYTES) break;
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UserError(`${path}: found ${systemError(error)}, expected ${expected}`);
  }
  if (length > TEXT_MAX_BYTES) {
    throw new UserError(`${path}: found more than ${TEXT_MAX_BYTES / 2 ** 20} MiB, expected ${expected}`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
