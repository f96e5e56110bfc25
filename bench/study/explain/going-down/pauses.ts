import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Ns } from '../../../../sim/contract/units.ts';

/** What lies so near is without a system call worth the name between: recordings put steps of the clock below 10 us together. */
export const AT_ONCE_NS: Ns = 20_000;
/** A program that lives on for longer than this after its frees has not freed in order to exit. */
export const IDLE_NS: Ns = 1_000_000;
/** What lies further back is not spoken of. */
export const LOOKED_BACK_NS: Ns = 1_000_000_000;
/**
 * One that frees nothing for longer has stopped freeing. It may wait so long without wanting to: a container with a share of a processor is
 * stopped for what is left of a period, and the kernel's periods are 100 ms (cpu.cfs_period_us).
 */
export const STOPPED_NS: Ns = 100_000_000;

/** Of a row with a step of the clock. */
export const nsOf = ({ a, b }: EventBuffer, row: number): Ns => b[row]! * 2 ** 32 + a[row]!;
