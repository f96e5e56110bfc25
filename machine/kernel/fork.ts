/** kernel/fork.c and copy_page_range: a child's address space. */
import { PG_ANON, PG_EXCLUSIVE } from './frames.ts';
import { copyHugetlbPageRange } from './hugetlb.ts';
import type { Kernel, Task } from './kernel.ts';
import { khugepagedEnter } from './khugepaged-slots.ts';
import { mmCounterFile } from './memory.ts';
import { MM_ANONPAGES, MM_SWAPENTS, type Mm, Vma } from './mm-types.ts';
import { exitMmap, vmStatAccount } from './mmap.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { accountPageTables } from './page-alloc.ts';
import {
  frameOfPte,
  type Pmd,
  PTE_DIRTY,
  PTE_SHIFT,
  PTE_SPECIAL,
  PTE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
} from './page-table.ts';
import { pageAddFileRmap } from './rmap.ts';
import { swapDuplicate } from './swap.ts';
import { VM_ACCOUNT, VM_DONTCOPY, VM_HUGETLB, VM_LOCKED, VM_PFNMAP, VM_SHARED, VM_WIPEONFORK } from './vm-flags.ts';
import { chargeAnonVma, chargeVma } from './vma-slab.ts';

/** dup_mmap: the child's address space, or undefined where it may not be promised. */
export function dupMm(k: Kernel, parent: Task, child: Task): boolean {
  const { mm: from } = parent;
  const { mm: to } = child;
  Object.assign(to, { startBrk: from.startBrk, brk: from.brk });
  if (from.onKhugepagedList) khugepagedEnter(k, to);
  for (const vma of from.vmas) {
    if (vma.flags & VM_DONTCOPY) continue;
    if (vma.flags & VM_ACCOUNT && !vmEnoughMemory(k, vma.pages)) {
      exitMmap(k, child);
      return false;
    }
    const copy = new Vma(to, vma.start, vma.end, vma.flags & ~VM_LOCKED, vma.object, vma.pgoff, vma.name, vma.ra);
    if (!(vma.flags & VM_WIPEONFORK)) {
      copy.anonVma = vma.anonVma;
      copy.anonVma?.vmas.add(copy);
      copy.inherited = copy.anonVma !== null;
      if (copy.inherited) copy.anonId = ++k.lastAnonId;
    }
    if (copy.object) {
      copy.object.users++;
      copy.object.vmas.add(copy);
    }
    to.vmas.push(copy);
    chargeVma(k, copy);
    if (copy.anonVma) chargeAnonVma(k, copy, vma.chainLength);
    vmStatAccount(to, copy.flags, copy.pages);
    // Memory that a fault can bring again is left to faults.
    if (vma.flags & VM_HUGETLB) {
      copy.inherited = true;
      copyHugetlbPageRange(k, vma, to);
      accountPageTables(k, to);
      continue;
    }
    if (!(vma.flags & VM_WIPEONFORK) && (vma.anonVma || vma.flags & VM_PFNMAP)) copyPageRange(k, vma, copy);
  }
  to.hiwaterRss = to.getRss();
  to.hiwaterVm = to.totalVm;
  return true;
}

function copyPageRange(k: Kernel, vma: Vma, copy: Vma): void {
  const { mm } = copy;
  vma.mm.tlb?.flush(vma.start, vma.end);
  mm.copyUpper(vma.mm, vma.start, vma.end);
  vma.mm.eachPmd(vma.start, vma.end, (key, pmd) => {
    // A huge page of an object is left to faults.
    if (pmd.huge !== 0 && vma.object) return;
    if (pmd.huge !== 0) {
      mm.addPmd(key * 512).huge = copyHugePmd(k, pmd, mm);
    } else {
      const from = Math.max(vma.start, key * 512) - key * 512;
      const to = Math.min(vma.end, key * 512 + 512) - key * 512;
      const target = mm.pmdAt(key * 512) ?? mm.addPmd(key * 512);
      copyPteRange(k, vma, mm, pmd, target, from, to);
    }
    accountPageTables(k, mm);
  });
  accountPageTables(k, mm);
}

/** copy_huge_pmd: both map the huge page, and neither may write it. */
function copyHugePmd(k: Kernel, pmd: Pmd, mm: Mm): number {
  if (!(pmd.huge & PTE_SPECIAL)) {
    const head = frameOfPte(pmd.huge);
    k.frames.compoundMapcount[head >> 9]!++;
    k.frames.sharing++;
    k.frames.flags[head]! &= ~PG_EXCLUSIVE;
    mm.rss[MM_ANONPAGES] += 512;
    pmd.huge &= ~PTE_WRITE;
  }
  return pmd.huge & ~(PTE_WRITE | PTE_YOUNG);
}

/** copy_present_pte for a range of entries: shared, not to be written by either, and not yet used by the child. */
function copyPteRange(k: Kernel, vma: Vma, mm: Mm, pmd: Pmd, target: Pmd, from: number, to: number): void {
  const { flags, mapcount } = k.frames;
  k.frames.sharing++;
  const cow = !(vma.flags & VM_SHARED);
  if (cow && pmd.first !== 0 && from === 0 && to === 512 && target.used === 0) {
    const first = frameOfPte(pmd.first);
    if (flags[first]! & PG_ANON) {
      for (let i = 0; i < 512; i++) {
        mapcount[first + i]!++;
        flags[first + i]! &= ~PG_EXCLUSIVE;
      }
      pmd.first &= ~PTE_WRITE;
      target.first = pmd.first & ~PTE_YOUNG;
      target.used = 512;
      mm.rss[MM_ANONPAGES] += 512;
      return;
    }
  }
  const source = pmd.entries ?? pmd.unfold();
  const entries = target.entries ?? target.unfold();
  for (let i = from; i < to; i++) {
    let pte = source[i]!;
    if (pte === 0) continue;
    target.used++;
    if (pte & PTE_SPECIAL) {
      entries[i] = pte & ~PTE_YOUNG;
      continue;
    }
    if (pte & PTE_SWAP) {
      swapDuplicate(k, pte >>> PTE_SHIFT);
      k.mmlist.add(mm, vma.mm);
      mm.rss[MM_SWAPENTS]++;
      entries[i] = pte;
      continue;
    }
    const frame = frameOfPte(pte);
    if (flags[frame]! & PG_ANON) {
      mapcount[frame]!++;
      flags[frame]! &= ~PG_EXCLUSIVE;
      mm.rss[MM_ANONPAGES]++;
    } else {
      pageAddFileRmap(k, frame);
      mm.rss[mmCounterFile(k, frame) as 0]++;
    }
    if (cow && pte & PTE_WRITE) {
      pte &= ~PTE_WRITE;
      source[i] = pte;
    }
    entries[i] = pte & ~(PTE_YOUNG | (cow ? 0 : PTE_DIRTY));
  }
}
