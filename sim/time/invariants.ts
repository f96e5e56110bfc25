import { InvariantError } from '../contract/assert.ts';
import type { Ns } from '../contract/units.ts';
import { type MeasuredLock, ROUNDING } from './lock-table.ts';
import type { Scheduler } from './scheduling.ts';

export interface VirtualAccounts {
  readonly scheduler: Scheduler;
  readonly threads: number;
  readonly locks: readonly MeasuredLock[];
  /** Of each thread. */
  readonly kernelNs: Float64Array;
  /** The end of the run so far; the scheduler's accounts are closed there. */
  readonly endNs: Ns;
}

/**
 * What holds in every run, however many threads and processors there are; checked at its end, a broken one is a fault of ours. That nobody
 * has an exclusive lock beside its holder, that no wait is negative, and that a processor runs one thread at a time is checked as it happens (lock-table.ts, scheduler.ts).
 */
export function checkVirtualTime({ scheduler, threads, locks, kernelNs, endNs }: VirtualAccounts): void {
  const slack = ROUNDING * endNs + 1;
  for (const { name, holdNs, waitNs } of locks) {
    if (holdNs > endNs + slack) throw new InvariantError(`${name} is held for ${holdNs} ns of a run of ${endNs}`);
    if (holdNs < 0 || waitNs < 0) throw new InvariantError(`${name}: held ${holdNs} ns, waited for ${waitNs}`);
  }
  const { busyNs, idleNs } = scheduler;
  const sumOf = (values: Float64Array): Ns => values.reduce((sum, ns) => sum + ns, 0);
  // Counted as it is done, played later: complete where all have ended.
  if (scheduler.unfinished() === 0 && sumOf(kernelNs) > sumOf(busyNs) + slack) {
    throw new InvariantError(`processors: ${sumOf(kernelNs)} ns in the kernel, of ${sumOf(busyNs)} busy`);
  }
  for (let p = 0; p < busyNs.length; p++) {
    const sum = busyNs[p]! + idleNs[p]!;
    if (Math.abs(sum - endNs) > slack || busyNs[p]! < -slack || idleNs[p]! < -slack) {
      throw new InvariantError(`processor ${p}: busy ${busyNs[p]!} ns and idle ${idleNs[p]!}, of ${endNs}`);
    }
  }
  for (let t = 0; t < threads; t++) {
    const { sleeps, wakes, onProcessorNs, readyNs, blockedNs } = scheduler.timesOf(t);
    if (wakes > sleeps) throw new InvariantError(`thread ${t} was woken ${wakes} times and slept ${sleeps} times`);
    if (onProcessorNs + readyNs + blockedNs > endNs + slack || Math.min(onProcessorNs, readyNs, blockedNs) < -slack) {
      throw new InvariantError(
        `thread ${t}: ${onProcessorNs} ns on processors, ${readyNs} ready, ${blockedNs} blocked, of ${endNs}`,
      );
    }
  }
}
