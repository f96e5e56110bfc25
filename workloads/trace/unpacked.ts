import { type Duplex, Readable } from 'node:stream';
import { UserError } from '../../sim/contract/assert.ts';
import { systemError } from '../files/system-error.ts';
import { unpackerOf } from './compression.ts';

/** As many bytes as it takes to tell what an input is. */
export const MAGIC_BYTES = 8;

/** Compressed data that are damaged or break off, as its message says: what came before has been handed out. */
export class DamagedDataError extends Error {
  constructor(reason: string) {
    const breaksOff = /unexpected end|premature end|unknown header/.test(reason);
    super(breaksOff ? `compressed data that break off (${reason})` : `damaged compressed data (${reason})`);
  }
}

/**
 * The bytes of a stream, unpacked where their beginning says that they are packed (.gz, .zst), in pieces of any size.
 * `what` is expected of the source.
 */
export async function* unpacked(stream: Readable, source: string, what: string): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let unpack: Duplex | undefined;
  try {
    const first = await firstBytes(chunks);
    unpack = unpackerOf(first, source);
    const packed = concatenate(first, chunks);
    if (unpack) yield* through(packed, unpack);
    else yield* packed;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof UserError || code === undefined) throw error;
    if (unpack?.errored) throw new DamagedDataError(message);
    throw new UserError(`${source}: found ${systemError(error)}, expected ${what}`);
  } finally {
    stream.destroy();
  }
}

async function* through(packed: AsyncIterable<Uint8Array>, unpack: Duplex): AsyncGenerator<Uint8Array> {
  const from = Readable.from(packed);
  from.on('error', (error) => unpack.destroy(error));
  try {
    for await (const part of from.pipe(unpack)) yield plain(part as Uint8Array);
  } finally {
    from.destroy();
    unpack.destroy();
  }
}

/** As many chunks as it takes to see a magic number. */
export async function firstBytes(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(0);
  while (bytes.length < MAGIC_BYTES) {
    const { done, value } = await chunks.next();
    if (done) break;
    bytes = bytes.length === 0 ? value : Buffer.concat([bytes, value]);
  }
  return bytes;
}

export async function* concatenate(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.length > 0) yield plain(first);
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield plain(next.value);
}

/** A plain Uint8Array over the same bytes: a parser's loop then sees one kind of array only. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
