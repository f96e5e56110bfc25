import { MADV_HUGEPAGE } from '../../sim/kernel/kernel.ts';
import type { Context } from './context.ts';
import { THP_PAGES } from './parameters.ts';

/** madvise_thp(): under glibc.malloc.hugetlb=1, asks for huge pages where at least one fits. */
export function madviseThp(context: Context, t: number, start: number, pages: number): void {
  const hugePages = context.parameters.ints[THP_PAGES]!;
  if (hugePages === 0 || pages < hugePages) return;
  context.machine.kernel.madvise(t, start, pages, MADV_HUGEPAGE);
}
