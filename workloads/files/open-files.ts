import { readFileSync } from 'node:fs';

/** With fewer a command may come to an end between two of its modules (measured: `explain` needs 52 on two processors). */
export const NODE_NEEDS_FILES = 64;

/**
 * Of a thread of Node (measured: 4 under Node 20 and 5 under 22 and 24 as long as it lives, as many while it loads; 16 threads fit into 200). Where one is refused
 * when a thread starts Node ends the process, which nobody can catch.
 */
export const THREAD_FILES = 10;

/** RLIMIT_NOFILE of this process (`ulimit -n`), which Node has raised as far as it may; Infinity where it cannot be known. */
export function openFilesLimit(): number {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return limit ? Number(limit[1]) : Infinity;
  } catch {
    return Infinity;
  }
}
