import { readFileSync } from 'node:fs';
import type { Bytes } from '../../sim/contract/units.ts';

/**
 * A thread of Node reserves address space before it runs a line (128 MiB for code, a heap, a stack), and ends the process where it
 * cannot: nobody can catch that. With less than this for the process no thread is started.
 */
export const THREADS_NEED_BYTES: Bytes = 16 * 2 ** 30;

/**
 * With less address space than this Node ends itself in the middle of the smallest run (measured: 1 GiB is too little, 1.5 GiB is not);
 * nobody can catch that.
 */
export const NODE_NEEDS_BYTES: Bytes = 1.5 * 2 ** 30;

/** RLIMIT_AS of this process (`ulimit -v`); Infinity without one, or where it cannot be known. */
export function addressSpaceLimit(): Bytes {
  try {
    const limit = /^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return limit ? Number(limit[1]) : Infinity;
  } catch {
    return Infinity;
  }
}

export const hasRoomForThreads = (): boolean => addressSpaceLimit() >= THREADS_NEED_BYTES;
