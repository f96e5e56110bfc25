import { BRK_START_PAGE } from '../../sim/kernel/layout.ts';
import type { Context } from './context.ts';
import { CURRENT_BREAK, HP_PAGES } from './parameters.ts';

export type Morecore = ReturnType<typeof createMorecore>;

/** __glibc_morecore(), that is sbrk(2) of libc, in pages; 0 stands for MORECORE_FAILURE. */
export function createMorecore(context: Context) {
  const { kernel } = context.machine;
  const { ints } = context.parameters;

  /** __always_fail_morecore: with huge pages of its own, the main arena is never extended by brk. */
  const alwaysFails = (): boolean => ints[HP_PAGES] !== 0;

  /** The first call asks the kernel where the break is. */
  function currentBreak(t: number): number {
    if (ints[CURRENT_BREAK] === 0) ints[CURRENT_BREAK] = kernel.brk(t, 0);
    return ints[CURRENT_BREAK]!;
  }

  /** Where the new space starts. A shrinking call is judged by a second call without an increment, as glibc does. */
  function morecore(t: number, pages: number): number {
    if (alwaysFails()) return 0;
    const old = currentBreak(t);
    if (pages === 0) return old;
    const wished = old + pages;
    if (wished < BRK_START_PAGE) return 0;
    const reached = kernel.brk(t, wished);
    ints[CURRENT_BREAK] = reached;
    return reached < wished ? 0 : old;
  }

  return { morecore };
}
