/** mm/huge_memory.c: which mappings may have huge pages. */
import { HPAGE_PMD_NR } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { VM_HUGEPAGE, VM_HUGETLB, VM_NOHUGEPAGE, VM_SHARED, VM_STACK } from './vm-flags.ts';

/** transhuge_vma_suitable: the aligned 2 MiB around `page` lie in the mapping. */
export function transhugeVmaSuitable(vma: Vma, page: number): boolean {
  const first = Math.floor(page / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  return first >= vma.start && first + HPAGE_PMD_NR <= vma.end;
}

/** hugepage_vma_check: whether the mapping may have huge pages; `smaps` asks too, and only of a mapping that holds one. */
export function hugepageVmaCheck(k: Kernel, vma: Vma, inPageFault = false): boolean {
  if (!vma.isAnonymous() || vma.flags & (VM_NOHUGEPAGE | VM_SHARED | VM_STACK | VM_HUGETLB)) return false;
  if (!inPageFault) {
    const first = Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
    if (first + HPAGE_PMD_NR > vma.end) return false;
  }
  if (k.thp.enabled === 'always') return true;
  return k.thp.enabled === 'madvise' && (vma.flags & VM_HUGEPAGE) !== 0;
}
