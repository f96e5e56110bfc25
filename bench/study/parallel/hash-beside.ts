import { existsSync } from 'node:fs';
import type { Piscina } from 'piscina';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { hasRoomForThreads } from '../../../workloads/files/address-space.ts';
import { retire, runInThread, startThread, threadFile } from './thread.ts';
import { hasTraceHash, rememberTraceHash } from './trace-content.ts';

const WORKER = threadFile('parallel/hash-worker');
/** A shorter trace is hashed here before a thread has started. */
const BESIDE_ROWS = 2e6;

const underWay = new WeakMap<EventBuffer, Promise<void>>();

/** Sees to it that traceHash knows the trace, unless the signal comes, without keeping this thread from others that wait for it. */
export function hashBeside(events: EventBuffer, signal?: AbortSignal): Promise<void> {
  if (hasTraceHash(events) || events.length < BESIDE_ROWS || !existsSync(WORKER) || !hasRoomForThreads()) {
    return Promise.resolve();
  }
  let hashing = underWay.get(events);
  if (!hashing) underWay.set(events, (hashing = hashInThread(events, signal)));
  return hashing;
}

async function hashInThread(events: EventBuffer, signal?: AbortSignal): Promise<void> {
  const thread: Piscina<EventBuffer, string> = startThread(WORKER);
  try {
    rememberTraceHash(events, await runInThread(thread, events, signal));
  } catch {
    // too little memory for it, or the signal: whoever needs the hash makes it
  } finally {
    await retire(thread);
  }
}
