import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { createHtbInput } from '../../../workloads/trace/binary.ts';
import { encodeHtb } from '../../../workloads/trace/binary-writer.ts';
import { type BoundedFolder, cacheFolder, openBoundedFolder } from '../parallel/bounded-folder.ts';
import { rememberTraceHash } from '../parallel/trace-content.ts';
import { storedName, type TraceStore } from './trace-store.ts';

export const CACHE_BYTES: Bytes = 4 * 2 ** 30;

/** Traces on this machine, by content: between the store and the memory. */
export interface TraceFiles {
  /** Puts the trace into the store where it is not there yet. */
  offer(hash: string, events: EventBuffer): Promise<void>;
  /** The trace, from here or from the store; undefined where neither has it. Throws where it is not what its name says. */
  load(hash: string): Promise<EventBuffer | undefined>;
}

/** In a folder: `path`, the cache, or where that cannot be written one that goes with the process. */
export function openTraceFiles(store: TraceStore, path = cacheFolder('traces'), sizeBytes = CACHE_BYTES): TraceFiles {
  const folder = openFolder(path, sizeBytes);
  const unnamed = () => join(folder.path, `.allocsim-${randomBytes(12).toString('hex')}.tmp`);

  /** Writes a file under a temporary name and gives it its own one. */
  async function fill(hash: string, write: (temporary: string) => Promise<boolean>): Promise<string | undefined> {
    const temporary = unnamed();
    try {
      if (!(await write(temporary))) return undefined;
      folder.adopt(temporary, storedName(hash));
      return join(folder.path, storedName(hash));
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  return {
    async offer(hash, events) {
      if (await store.has(hash)) return;
      const pack = async (temporary: string) => {
        await pipeline(Readable.from(encodeHtb(events)), createGzip({ level: 1 }), createWriteStream(temporary));
        return true;
      };
      const file = folder.find(storedName(hash)) ?? (await fill(hash, pack));
      await store.put(hash, file!);
    },
    async load(hash) {
      const here = folder.find(storedName(hash));
      if (here) {
        const events = await readVerified(here, hash).catch(() => undefined);
        if (events) return events;
        folder.remove(storedName(hash)); // damaged here: perhaps not in the store
      }
      let events: EventBuffer | undefined;
      await fill(hash, async (temporary) => {
        if (!(await store.get(hash, temporary))) return false;
        events = await readVerified(temporary, hash).catch((error: Error) => {
          throw new UserError(
            `${store.shown}: found a damaged trace ${hash} (${error.message}), expected what its name says`,
          );
        });
        return true;
      });
      return events;
    },
  };
}

function openFolder(path: string, sizeBytes: Bytes): BoundedFolder {
  try {
    return openBoundedFolder(path, sizeBytes);
  } catch {
    const temporary = mkdtempSync(join(tmpdir(), 'allocsim-traces-'));
    process.once('exit', () => rmSync(temporary, { recursive: true, force: true }));
    return openBoundedFolder(temporary, sizeBytes);
  }
}

/** Reads a packed trace; throws where its bytes are not those of the hash. */
async function readVerified(file: string, hash: string): Promise<EventBuffer> {
  const sha = createHash('sha256');
  const input = createHtbInput(hash);
  const unpack = createGunzip();
  const reading = pipeline(createReadStream(file), unpack, async (parts: AsyncIterable<Uint8Array>) => {
    for await (const part of parts) {
      sha.update(part);
      input.push(part);
    }
  });
  await reading;
  const found = sha.digest('hex');
  if (found !== hash) throw new Error(`a trace with hash ${found}, where ${hash} was stored`);
  const events = input.finish();
  rememberTraceHash(events, hash);
  return events;
}
