/** include/linux/mm_inline.h: what a use of a mapping's page says. */
import type { Kernel } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { VM_RAND_READ, VM_SEQ_READ } from './vm-flags.ts';

/** vma_has_recency: what is read in order, and from 6.3 on at random, says nothing of its next use. */
export const vmaHasRecency = (k: Kernel, { flags }: Vma): boolean =>
  !(flags & (k.lruGen ? VM_SEQ_READ | VM_RAND_READ : VM_SEQ_READ));
