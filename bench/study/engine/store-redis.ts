import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Redis } from 'ioredis';
import { KEPT_SECONDS, pieceKey, traceKey } from './names.ts';
import type { TraceStore } from './trace-store.ts';

const PIECE_BYTES = 512 * 1024;

/** Written last: who reads it finds every piece. */
interface Manifest {
  readonly upload: string;
  readonly pieces: number;
}

/** The engine's own server, in pieces. Each upload has pieces of its own: two at a time do not mix. */
export function createRedisStore(redis: Redis, prefix: string): TraceStore {
  async function manifestOf(hash: string): Promise<Manifest | undefined> {
    const text = await redis.get(traceKey(prefix, hash));
    return text === null ? undefined : (JSON.parse(text) as Manifest);
  }

  return {
    shown: 'the engine',
    /** What is asked for is kept longer. */
    async has(hash) {
      const manifest = await manifestOf(hash);
      if (!manifest) return false;
      const touched = redis.pipeline();
      for (let i = 0; i < manifest.pieces; i++)
        touched.expire(pieceKey(prefix, hash, manifest.upload, i), KEPT_SECONDS);
      touched.expire(traceKey(prefix, hash), KEPT_SECONDS);
      return (await touched.exec())!.every(([error, kept]) => error === null && kept === 1);
    },
    async put(hash, file) {
      const upload = randomBytes(8).toString('hex');
      let pieces = 0;
      for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
        await redis.set(pieceKey(prefix, hash, upload, pieces++), piece as Buffer, 'EX', KEPT_SECONDS);
      }
      const manifest: Manifest = { upload, pieces };
      await redis.set(traceKey(prefix, hash), JSON.stringify(manifest), 'EX', KEPT_SECONDS);
    },
    async get(hash, file) {
      const manifest = await manifestOf(hash);
      if (!manifest) return false;
      const output = createWriteStream(file);
      try {
        for (let i = 0; i < manifest.pieces; i++) {
          const piece = await redis.getBuffer(pieceKey(prefix, hash, manifest.upload, i));
          if (!piece) return false;
          if (!output.write(piece)) await new Promise<void>((resolve) => output.once('drain', () => resolve()));
        }
      } finally {
        output.end();
        await finished(output);
      }
      return true;
    },
  };
}
