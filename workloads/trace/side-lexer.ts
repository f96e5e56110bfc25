import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { hasRoomForThreads } from '../files/address-space.ts';
import { chunksIn, createLexedChunk, type LexedChunk, readChunk, startOf } from './lexed-chunk.ts';

/** Chunks that may be taken apart and not yet compiled. */
export const RING_CHUNKS = 6;

/** In `control`: the next chunk that nobody has; those up to this one have been compiled; by place in the ring, what lies there. */
export const CLAIMED = 0;
export const CONSUMED = 1;
export const READY = 2;

export interface LexingTask {
  readonly fd: number;
  readonly chunks: number;
  readonly ring: readonly LexedChunk[];
  readonly control: Int32Array;
}

/** A worker costs some hundredths of a second; of files below this it would not save them. */
const WORTHWHILE_BYTES = 1 << 25;
/** Ctrl-C is heard between two breaths. */
const CHUNKS_BETWEEN_BREATHS = 8;
/** So long a wait lasts at most before signals are heard. */
const WAIT_MS = 20;

/** Workers are started from the built files, where there are any. */
const WORKER = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? './lexing-worker.js' : '../../dist/workloads/trace/lexing-worker.js',
    import.meta.url,
  ),
);

export interface SideLexer {
  /** The next chunk, in order from the second one on: as the worker has left it, or read here where it has not begun with it. */
  next(): Promise<PlacedChunk | undefined>;
  close(): void;
}

export interface PlacedChunk {
  readonly chunk: LexedChunk;
  /** Of its bytes, in the file. */
  readonly start: number;
}

/** A second thread for the lines of a large text trace, which are numbers for the most part; undefined where it is of no use. */
export function openSideLexer(fd: number, fileBytes: number): SideLexer | undefined {
  if (fileBytes < WORTHWHILE_BYTES || availableParallelism() < 2 || !existsSync(WORKER) || !hasRoomForThreads())
    return undefined;
  const chunks = chunksIn(fileBytes);
  const control = new Int32Array(new SharedArrayBuffer(4 * (READY + RING_CHUNKS)));
  const ring = Array.from({ length: RING_CHUNKS }, createLexedChunk);
  control[CLAIMED] = 1; // the first chunk has the header
  control[CONSUMED] = 1;
  const worker = new Worker(WORKER, { workerData: { fd, chunks, ring, control } satisfies LexingTask });
  let failure: Error | undefined;
  worker.on('error', (error) => {
    failure = error;
  });
  let index = 1;
  let own: LexedChunk | undefined;

  function release(done: number): void {
    Atomics.store(control, CONSUMED, done);
    Atomics.notify(control, CONSUMED);
  }

  return {
    async next() {
      if (index >= chunks) return undefined;
      if (index % CHUNKS_BETWEEN_BREATHS === 0) await new Promise((resolve) => setImmediate(resolve));
      release(index); // what was handed out before has been compiled
      const wanted = index++;
      if (Atomics.compareExchange(control, CLAIMED, wanted, wanted + 1) === wanted) {
        own ??= createLexedChunk();
        readChunk(fd, wanted, own);
        return { chunk: own, start: startOf(wanted) };
      }
      const place = READY + (wanted % RING_CHUNKS);
      for (let seen = Atomics.load(control, place); seen !== wanted; seen = Atomics.load(control, place)) {
        if (failure) throw failure;
        if (Atomics.wait(control, place, seen, WAIT_MS) === 'timed-out') {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      return { chunk: ring[wanted % RING_CHUNKS]!, start: startOf(wanted) };
    },
    close() {
      Atomics.store(control, CLAIMED, chunks);
      release(chunks);
      worker.unref();
    },
  };
}
