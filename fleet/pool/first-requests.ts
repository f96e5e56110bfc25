import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { PoolFile } from '../scenario/scenario.ts';

/** What a worker has written to without a call of the allocator; pages. */
export interface FirstWrites {
  /** Beside its heap, where nothing was before. */
  readonly anonymousPages: number;
  /** Of its master's heap, then of what was preloaded: it has copies. */
  readonly copiedPages: number;
}

export const NOTHING_WRITTEN: FirstWrites = { anonymousPages: 0, copiedPages: 0 };

const pagesOf = (size: string | number) => Math.ceil(sizeBytes(size)! / 4096);

/** Requests [first, to) of a slot were looked at: which kinds were among them. */
interface Seen {
  readonly first: number;
  readonly to: number;
  readonly kinds: readonly boolean[];
}

/**
 * A request's first run in a process writes to more than its heap: stacks grow to their depth, libraries' tables are filled, what the master made
 * before the fork is changed. Later runs of its kind write to the same pages, and so do other kinds to most of them: what counts is the most.
 */
export class FirstRequests {
  private readonly kinds: readonly { readonly request: string | undefined; readonly writes: FirstWrites }[];
  private readonly nameOf: (slot: number, request: number) => string | undefined;
  /** Of each slot: what was seen when it was last looked at. */
  private readonly seen: Seen[] = [];

  /** `nameOf`: what a slot's request is called, by its place among the slot's. */
  constructor(pool: PoolFile, nameOf: (slot: number, request: number) => string | undefined) {
    this.nameOf = nameOf;
    const ofAll = { request: undefined, writes: { ...NOTHING_WRITTEN, copiedPages: pagesOf(pool.worker.writes) } };
    const own = pool.first.map(({ request, anonymous, writes }) => ({
      request,
      writes: { anonymousPages: pagesOf(anonymous), copiedPages: pagesOf(writes) },
    }));
    this.kinds = [ofAll, ...own].filter(({ writes }) => Object.values(writes).some((pages) => pages > 0));
  }

  /** What a process has written to that has begun the slot's requests [first, to). */
  writtenBy(slot: number, first: number, to: number): FirstWrites {
    if (this.kinds.length === 0 || first >= to) return NOTHING_WRITTEN;
    const last = this.seen[slot];
    const known = last?.first === first && last.to <= to ? last : { first, to: first, kinds: [] };
    const kinds = this.kinds.map((_, kind) => known.kinds[kind] ?? false);
    for (let request = known.to; request < to && kinds.includes(false); request++) {
      const name = this.nameOf(slot, request);
      this.kinds.forEach((kind, i) => {
        if (kind.request === undefined || kind.request === name) kinds[i] = true;
      });
    }
    this.seen[slot] = { first, to, kinds };
    return this.kinds.reduce((most, { writes }, i) => (kinds[i] ? larger(most, writes) : most), NOTHING_WRITTEN);
  }
}

const larger = (x: FirstWrites, y: FirstWrites): FirstWrites => ({
  anonymousPages: Math.max(x.anonymousPages, y.anonymousPages),
  copiedPages: Math.max(x.copiedPages, y.copiedPages),
});
