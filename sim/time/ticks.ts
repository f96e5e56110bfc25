import { createRandom, type Random } from '../contract/random.ts';
import type { Ns } from '../contract/units.ts';

/** When the timer interrupts come: `hz` times a second. */
export interface Ticks {
  /** The run begins somewhere between two. What else is drawn for it is drawn from what is returned. */
  begin(seed: number): Random;
  /** The next one after `at`. */
  next(at: Ns): Ns;
}

export function createTicks(hz: number): Ticks {
  const tickNs = 1e9 / hz;
  let phase = 0;
  return {
    begin(seed) {
      const random = createRandom(seed, 'ticks and order');
      phase = random.next() * tickNs;
      return random;
    },
    next(at) {
      const due = (Math.floor((at - phase) / tickNs) + 1) * tickNs + phase;
      return due <= at ? due + tickNs : due; // at a tick itself, by rounding
    },
  };
}
