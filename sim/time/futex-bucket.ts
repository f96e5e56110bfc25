import type { Ns } from '../contract/units.ts';

/** A futex word's hash bucket; that two words share one is left out. */
export interface Bucket {
  /** Who has its lock, -1 for nobody; since when it is free; where its line is, and until when it is on its way. */
  owner: number;
  freeAt: Ns;
  lineAt: number;
  lineFreeAt: Ns;
  /** Who queues for its lock. */
  first: number;
  last: number;
  /** Who sleeps. */
  firstSleeper: number;
  lastSleeper: number;
  /** futex_hb_waiters_pending(): who sleeps, and who is about to. */
  pending: number;
}

export const newBucket = (): Bucket => ({
  owner: -1,
  freeAt: 0,
  lineAt: -1,
  lineFreeAt: 0,
  first: -1,
  last: -1,
  firstSleeper: -1,
  lastSleeper: -1,
  pending: 0,
});
