import { getHeapStatistics } from 'node:v8';
import { UserError } from '../../sim/contract/assert.ts';
import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { memoryRoom, roomText } from '../../workloads/files/host-memory.ts';
import { endLatest } from '../../workloads/files/memory-gate.ts';
import { isHeapUsed } from '../run/heap-room.ts';

const LOOK_MS = 50;
/** Others use the same memory. */
const LOOK_AGAIN_MS = 1000;
/** The room is read again when the process has taken so much of it. */
const SHARE_BETWEEN_LOOKS = 1 / 16;
/** What work that does not breathe may take between two looks: of the limit, and at most. */
const SHARE_KEPT = 1 / 8;
const KEPT_MAX_BYTES: Bytes = 256 * 2 ** 20;
/** Of addresses Node itself needs a few more: it ends where its heap cannot grow. */
const KEPT_ADDRESSES_BYTES: Bytes = 64 * 2 ** 20;
/** What a thread had that was ended is there again after so long. */
const RELIEF_MS = 300;
/** Node ends itself where its heap is full. */
const SHARE_OF_HEAP = 0.9;

/**
 * Looks at the memory until it is told to stop. Where it comes to an end, fewer runs go on at a time; where it is one alone, a UserError is
 * thrown out of the timer: the kernel (or Node, whose heap it is) would end the process without a word. Heard only where the event loop breathes. @returns what ends it.
 */
export function watchMemory(): () => void {
  let lookedAt = 0;
  let looksAgainAtBytes = 0;
  let relievedUntil = 0;
  const look = () => {
    checkHeap();
    const rss = process.memoryUsage.rss();
    if (rss < looksAgainAtBytes && performance.now() - lookedAt < LOOK_AGAIN_MS) return;
    const room = memoryRoom();
    lookedAt = performance.now();
    looksAgainAtBytes = rss + room.bytes * SHARE_BETWEEN_LOOKS;
    const kept = room.isOfAddresses ? KEPT_ADDRESSES_BYTES : Math.min(KEPT_MAX_BYTES, room.of.bytes * SHARE_KEPT);
    if (room.bytes > kept || performance.now() < relievedUntil) return;
    if (endLatest()) {
      relievedUntil = performance.now() + RELIEF_MS;
      looksAgainAtBytes = 0;
      return;
    }
    throw new UserError(
      `found ${bytes(rss)} in use by this process, expected a smaller run or more memory: ${roomText(room)}`,
    );
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => clearInterval(timer);
}

function checkHeap(): void {
  if (!isHeapUsed(SHARE_OF_HEAP)) return;
  const limit = bytes(getHeapStatistics().heap_size_limit);
  throw new UserError(
    `found Node's heap of ${limit} full, expected a smaller run, or NODE_OPTIONS=--max-old-space-size=MiB`,
  );
}
