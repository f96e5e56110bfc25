import type { Duplex, Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import { zstdProgram } from './zstd-program.ts';

/** zstd is in Node from 22.15 on. */
const zstd = zlib as {
  createZstdCompress?: () => Transform;
  createZstdDecompress?: (options: { chunkSize: number }) => Transform;
};

/** Large pieces: the reader's loop runs long between two of them. */
const CHUNK_BYTES = 1 << 20;

function noZstd(source: string): UserError {
  return new UserError(
    `${source}: found zstd, expected .gz or no compression: Node ${process.versions.node} has no zstd`,
  );
}

/** A frame of zstd, or one to be skipped, as some programs put first (RFC 8878, 3.1.1 and 3.1.2). */
function isZstd([a, b, c, d]: Uint8Array): boolean {
  return (
    (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) || (a! >> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18)
  );
}

/** The stream that unpacks data with this beginning; none where they are not compressed. */
export function unpackerOf(first: Uint8Array, source: string): Duplex | undefined {
  if (first[0] === 0x1f && first[1] === 0x8b) return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  if (!isZstd(first)) return undefined;
  return zstd.createZstdDecompress?.({ chunkSize: CHUNK_BYTES }) ?? zstdProgram(source);
}

/** Refuses a name that asks for what this Node cannot pack. */
export function checkPacking(path: string): void {
  if (path.endsWith('.zst') && !zstd.createZstdCompress) throw noZstd(path);
}

/** The stream that packs as the name of a file asks for. */
export function packerFor(path: string): Transform | undefined {
  if (path.endsWith('.gz')) return zlib.createGzip();
  if (!path.endsWith('.zst')) return undefined;
  if (!zstd.createZstdCompress) throw noZstd(path);
  return zstd.createZstdCompress();
}
