import { workerData } from 'node:worker_threads';
import { FROM, lexChunk, readChunk } from './lexed-chunk.ts';
import { CLAIMED, CONSUMED, type LexingTask, READY, RING_CHUNKS } from './side-lexer.ts';

/**
 * Before its end: the host's compiler may still be at work for this thread, and Node 20 dies where that needs memory of one
 * that is no more.
 */
const REST_MS = 100;

/** Takes chunks of a text trace apart, a few ahead of who compiles them. */
const { fd, chunks, ring, control } = workerData as LexingTask;
for (;;) {
  const index = Atomics.load(control, CLAIMED);
  if (index >= chunks) break;
  const consumed = Atomics.load(control, CONSUMED);
  if (index >= consumed + RING_CHUNKS) {
    Atomics.wait(control, CONSUMED, consumed);
    continue;
  }
  if (Atomics.compareExchange(control, CLAIMED, index, index + 1) !== index) continue;
  const place = index % RING_CHUNKS;
  const chunk = ring[place]!;
  try {
    readChunk(fd, index, chunk);
    if (chunk.meta[FROM]! >= 0) lexChunk(chunk);
  } catch {
    chunk.meta[FROM] = -1; // whoever wants it reads it again, and says what is wrong
  }
  Atomics.store(control, READY + place, index);
  Atomics.notify(control, READY + place);
}
Atomics.wait(control, CONSUMED, Atomics.load(control, CONSUMED), REST_MS);
