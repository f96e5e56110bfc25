import type { LogRecord } from './log.ts';
import type { PageRun } from './page-runs.ts';

/** For what of its blocks the program asks for huge pages itself (madvise). */
export interface OwnHugePages {
  /** The program maps memory that is no block's, and unmaps it. */
  readonly maps: (r: LogRecord) => void;
  readonly unmaps: (r: LogRecord) => void;
  readonly advises: (r: LogRecord) => void;
  /** Pages of the address space. */
  readonly has: (run: PageRun) => boolean;
  /** All calls taken together. */
  readonly bytes: () => number;
}

export function createOwnHugePages(pageBytes: number): OwnHugePages {
  /** Ends by starts. */
  const mapped = new Map<number, number>();
  const advised: PageRun[] = [];
  return {
    maps: ({ address, a }) => void mapped.set(address * 8, address * 8 + a),
    unmaps({ address, a }) {
      const start = address * 8;
      const end = mapped.get(start);
      mapped.delete(start);
      // What is mapped to be aligned loses its ends.
      if (end !== undefined && start + a < end) mapped.set(start + a, end);
    },
    advises({ address, a }) {
      const start = address * 8;
      for (const [from, end] of mapped) if (start >= from && start < end) return;
      const first = Math.floor(start / pageBytes);
      advised.push({ first, count: Math.ceil((start + a) / pageBytes) - first });
    },
    has: ({ first, count }) => advised.some((run) => first < run.first + run.count && run.first < first + count),
    bytes: () => advised.reduce((sum, { count }) => sum + count, 0) * pageBytes,
  };
}
