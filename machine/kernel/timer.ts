/** kernel/time/timer.c: the wheel of timers, coarser the longer they run. */

/** A tick (HZ 250). */
export const JIFFY_US = 4000;
/** LVL_SIZE - 1, and LVL_CLK_SHIFT. */
const LAST_OF_LEVEL = 63;
const LEVEL_SHIFT = 3;

/** When a timer (schedule_timeout) of `ms` that is set at `nowUs` fires: at the end of the bucket that its time lies in. */
export function timerExpiresUs(nowUs: number, ms: number): number {
  const delta = Math.ceil((ms * 1000) / JIFFY_US);
  let granularity = 1;
  while (delta >= LAST_OF_LEVEL * granularity) granularity *= 1 << LEVEL_SHIFT;
  const expires = Math.floor(nowUs / JIFFY_US) + delta;
  return Math.floor((expires + granularity) / granularity) * granularity * JIFFY_US;
}
