import type { Random } from '../contract/random.ts';
import type { Ns } from '../contract/units.ts';

/** When the timer interrupts come: `hz` times a second, the run begins somewhere between two. The next one after `at`. */
export function createTicks(hz: number, random: Random): (at: Ns) => Ns {
  const tickNs = 1e9 / hz;
  const phase = random.next() * tickNs;
  return (at) => {
    const due = (Math.floor((at - phase) / tickNs) + 1) * tickNs + phase;
    return due <= at ? due + tickNs : due; // at a tick itself, by rounding
  };
}
