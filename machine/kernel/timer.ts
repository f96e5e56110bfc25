/** kernel/time/timer.c: the wheel of timers, coarser the longer they run. */

/** CONFIG_HZ, and a tick. */
export const HZ = 250;
export const JIFFY_US = 1_000_000 / HZ;

export const jiffiesOf = (nowUs: number): number => Math.floor(nowUs / JIFFY_US);

/** LVL_SIZE - 1, and LVL_CLK_SHIFT. */
const LAST_OF_LEVEL = 63;
const LEVEL_SHIFT = 3;

/** When a timer (schedule_timeout) of `ms` that is set at `nowUs` fires: at the end of the bucket that its time lies in. */
export const timerExpiresUs = (nowUs: number, ms: number): number =>
  timerExpiresAfter(nowUs, Math.ceil((ms * 1000) / JIFFY_US));

/** The same of so many ticks. */
export function timerExpiresAfter(nowUs: number, delta: number): number {
  let granularity = 1;
  while (delta >= LAST_OF_LEVEL * granularity) granularity *= 1 << LEVEL_SHIFT;
  const expires = jiffiesOf(nowUs) + delta;
  return Math.floor((expires + granularity) / granularity) * granularity * JIFFY_US;
}
