import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Page, Pages } from '../../sim/contract/units.ts';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MAP_BY_PAGE,
  MAP_NORESERVE,
  PROT_READ,
  PROT_WRITE,
} from '../../sim/kernel/kernel.ts';
import type { State } from './state.ts';

export type PageCalls = ReturnType<typeof createPages>;

/** What jemalloc asks of the kernel (pages.c): mappings at a wanted alignment, purging, huge page advice. */
export function createPages(state: State) {
  const { kernel, config } = state;

  /** os_pages_map: at `hint` or nowhere; -1 where that fails. The kernel overcommits, hence MAP_NORESERVE. */
  function osPagesMap(t: ThreadSlot, hint: Page, pages: Pages): Page {
    const start = kernel.mmap(t, hint, pages, PROT_READ | PROT_WRITE, MAP_NORESERVE | MAP_BY_PAGE);
    if (start >= 0 && hint !== 0 && start !== hint) {
      kernel.munmap(t, start, pages);
      return -1;
    }
    return start;
  }

  /** pages_map: tries the plain length first; where that is not aligned, maps more and cuts. */
  function pagesMap(t: ThreadSlot, hint: Page, pages: Pages, alignment: Pages): Page {
    const start = osPagesMap(t, hint, pages);
    if (start < 0 || start === hint || start % alignment === 0) return start;
    kernel.munmap(t, start, pages);
    const padded = pages + alignment - 1; // pages_map_slow
    const wide = osPagesMap(t, 0, padded);
    if (wide < 0) return -1;
    const lead = Math.ceil(wide / alignment) * alignment - wide;
    if (lead > 0) kernel.munmap(t, wide, lead);
    const trail = padded - lead - pages;
    if (trail > 0) kernel.munmap(t, wide + lead + pages, trail);
    return wide + lead;
  }

  /** pages_set_thp_state: only where the option differs from what the system does by itself. */
  function setThpState(t: ThreadSlot, start: Page, pages: Pages): void {
    const { thp, systemThp } = config;
    if (thp === 'default' || thp === systemThp) return;
    if (thp === 'always' && systemThp !== 'never') kernel.madvise(t, start, pages, MADV_HUGEPAGE);
    else if (thp === 'never') kernel.madvise(t, start, pages, MADV_NOHUGEPAGE);
  }

  return {
    pagesMap,
    setThpState,
    /** pages_unmap */
    unmap: (t: ThreadSlot, start: Page, pages: Pages): void => {
      kernel.munmap(t, start, pages);
    },
    /** pages_purge_forced: whether it failed. */
    purgeForced: (t: ThreadSlot, start: Page, pages: Pages): boolean =>
      kernel.madvise(t, start, pages, MADV_DONTNEED) !== 0,
    /** pages_purge_lazy: whether it failed. */
    purgeLazy: (t: ThreadSlot, start: Page, pages: Pages): boolean => kernel.madvise(t, start, pages, MADV_FREE) !== 0,
    /** pages_huge */
    huge: (t: ThreadSlot, start: Page, pages: Pages): void => {
      kernel.madvise(t, start, pages, MADV_HUGEPAGE);
    },
  };
}
