import type { Beginning } from '../contract/beginning.ts';
import type { Bytes } from '../contract/units.ts';

/** Requested bytes of live blocks, while they change: two elements, as fields each double would be an object of the host's. */
export type LiveBytes = Float64Array & { readonly __unit?: 'requested bytes' };

/** Requested bytes in live blocks now. */
export const LIVE = 0;
/** And at most so far. */
export const PEAK = 1;

export function createLiveBytes({ keep }: Beginning): LiveBytes {
  return keep(new Float64Array(2));
}

export function addLive(live: LiveBytes, change: Bytes): void {
  const now = (live[LIVE]! += change);
  if (now > live[PEAK]!) live[PEAK] = now;
}
