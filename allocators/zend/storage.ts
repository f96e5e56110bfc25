import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Page, Pages } from '../../sim/contract/units.ts';
import { MADV_HUGEPAGE, MAP_HUGETLB, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { CHUNK_PAGES, type ZendState } from './layout.ts';

const READ_WRITE = PROT_READ | PROT_WRITE;

export interface StorageOptions {
  /** USE_ZEND_ALLOC_HUGE_PAGES: chunks from the huge page pool, else advised; 7.1 advises in any case. */
  readonly hugePages: boolean;
}

export type Storage = ReturnType<typeof createStorage>;

/** Memory from the kernel at multiples of 2 MiB: chunks and huge blocks. -1 is "no memory". */
export function createStorage(state: ZendState, options: StorageOptions) {
  const { kernel } = state.machine;
  const { hugePages } = options;
  const advises = hugePages || state.version === '7.1';
  const extendsByRemap = state.version !== '7.1';

  /** zend_mm_mmap. */
  function map(t: ThreadSlot, pages: Pages): Page {
    if (hugePages && pages === CHUNK_PAGES) {
      const start = kernel.mmap(t, 0, pages, READ_WRITE, MAP_HUGETLB);
      if (start >= 0) return start;
    }
    return kernel.mmap(t, 0, pages, READ_WRITE, 0);
  }

  /** zend_mm_chunk_alloc_int: an aligned mapping at the first try, or one that is larger and loses its ends. */
  function allocate(t: ThreadSlot, pages: Pages): Page {
    let start = map(t, pages);
    if (start < 0) return -1;
    if (start % CHUNK_PAGES !== 0) {
      kernel.munmap(t, start, pages);
      start = map(t, pages + CHUNK_PAGES - 1);
      if (start < 0) return -1;
      let surplus = CHUNK_PAGES;
      const offset = start % CHUNK_PAGES;
      if (offset !== 0) {
        const head = CHUNK_PAGES - offset;
        kernel.munmap(t, start, head);
        start += head;
        surplus -= head;
      }
      if (surplus > 1) kernel.munmap(t, start + pages, surplus - 1);
    }
    if (advises) kernel.madvise(t, start, pages, MADV_HUGEPAGE);
    return start;
  }

  /** zend_mm_chunk_free. */
  function release(t: ThreadSlot, start: Page, pages: Pages): void {
    kernel.munmap(t, start, pages);
  }

  /** zend_mm_chunk_truncate. */
  function truncate(t: ThreadSlot, start: Page, oldPages: Pages, newPages: Pages): void {
    kernel.munmap(t, start + newPages, oldPages - newPages);
  }

  /** zend_mm_chunk_extend: in place or not at all; mremap since 8.0, before it a mapping asked for right behind. */
  function extend(t: ThreadSlot, start: Page, oldPages: Pages, newPages: Pages): boolean {
    if (extendsByRemap) return kernel.mremap(t, start, oldPages, newPages, false) >= 0;
    const tail = start + oldPages;
    const got = kernel.mmap(t, tail, newPages - oldPages, READ_WRITE, 0);
    if (got < 0) return false;
    if (got === tail) return true;
    kernel.munmap(t, got, newPages - oldPages);
    return false;
  }

  return { allocate, release, truncate, extend };
}
