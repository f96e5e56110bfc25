import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import { systemError } from './system-error.ts';

/** Results of many runs are a few megabytes; what is longer is something else. */
const TEXT_MAX_BYTES = 256 * 2 ** 20;
const CHUNK_BYTES = 1 << 16;

/**
 * The text of a file, a pipe or a device, or one line that says why not; `expected` names what it should be. `given`: standard input,
 * which `path` only names.
 */
export function readTextFile(path: string, expected: string, given?: 0): string {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    const descriptor = given ?? openSync(path, 'r');
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
      if (given === undefined) closeSync(descriptor);
    }
  } catch (error) {
    throw new UserError(`${path}: found ${systemError(error)}, expected ${expected}`);
  }
  if (length > TEXT_MAX_BYTES) {
    throw new UserError(`${path}: found more than ${TEXT_MAX_BYTES / 2 ** 20} MiB, expected ${expected}`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The first bytes of a regular file as text, to tell what it is; undefined of anything else: what is read of a pipe is gone. */
export function headOfFile(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    const descriptor = openSync(path, 'r');
    try {
      const head = Buffer.alloc(CHUNK_BYTES);
      return head.subarray(0, readSync(descriptor, head, 0, CHUNK_BYTES, 0)).toString('utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined; // whoever reads it says what is wrong
  }
}
