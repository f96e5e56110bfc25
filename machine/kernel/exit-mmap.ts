/** exit_mmap (mm/mmap.c) and mm/mmu_gather.c as they go, step by step: what is unmapped is freed by batches. */
import type { Kernel, Task } from './kernel.ts';
import { khugepagedExit } from './khugepaged-slots.ts';
import { zapPageRange } from './memory.ts';
import type { Vma } from './mm-types.ts';
import { freePage } from './page-alloc.ts';
import { type Pmd, PTE_PRESENT, PTE_SPECIAL } from './page-table.ts';
import { EXIT_FREED_US, EXIT_SHMEM_FREED_US, EXIT_UNMAPPED_US } from './recorded-prices.ts';
import { VM_HUGETLB, VM_PFNMAP } from './vm-flags.ts';

/** mmu_gather.local, MAX_GATHER_BATCH, and MAX_GATHER_BATCH_COUNT of those: pages that wait to be freed together. */
const LOCAL_PAGES = 8;
const BATCH_PAGES = 510;
const BATCHES = Math.floor(10_000 / BATCH_PAGES);

/** struct mmu_gather: of each batch, how many pages there is still room for, and those that nobody else has. */
class Gather {
  private batches: { room: number; readonly frames: number[] }[] = [{ room: LOCAL_PAGES, frames: [] }];

  get room(): number {
    return this.batches.at(-1)!.room;
  }

  /** Unmaps [from, to) of the mapping, in which `pages` are, at most as many as there is room for. */
  unmap(k: Kernel, task: Task, vma: Vma, from: number, to: number, pages: number): void {
    const last = this.batches.at(-1)!;
    last.room -= pages;
    k.gathering = last.frames;
    zapPageRange(k, task, vma, from, to);
    k.gathering = null;
  }

  /** tlb_next_batch. @returns false where there is none. */
  nextBatch(): boolean {
    if (this.batches.length > BATCHES) return false;
    this.batches.push({ room: BATCH_PAGES, frames: [] });
    return true;
  }

  /** tlb_batch_pages_flush: it looks up after each batch. Pages that others have too are only let go. */
  *flush(k: Kernel): Generator<number, void, void> {
    const { batches } = this;
    this.batches = [{ room: LOCAL_PAGES, frames: [] }];
    for (const { frames } of batches) {
      if (frames.length === 0) continue;
      for (const frame of frames) {
        k.gathered.delete(frame);
        freePage(k, frame);
      }
      yield frames.length * (EXIT_FREED_US - EXIT_UNMAPPED_US);
    }
  }
}

const isGathered = (pmd: Pmd, i: number): boolean => {
  const pte = pmd.get(i);
  return (pte & PTE_PRESENT) !== 0 && (pte & PTE_SPECIAL) === 0;
};

/**
 * Takes the memory of a process that ends, as its own last work. Each value is how long the step before it takes, in microseconds of the
 * processor; between steps others may have it (cond_resched). `task.oomSkip` is set where the killer need not wait for it any more.
 */
export function* exitMmapSteps(k: Kernel, task: Task): Generator<number, void, void> {
  const { mm } = task;
  khugepagedExit(k, mm);
  const gather = new Gather();
  for (const vma of [...mm.vmas]) {
    if (vma.flags & (VM_PFNMAP | VM_HUGETLB)) continue;
    const keys: number[] = [];
    mm.eachPmd(vma.start, vma.end, (key) => keys.push(key));
    for (const key of keys) yield* unmapTable(k, task, vma, key, gather);
  }
  task.oomSkip = true;
  yield* gather.flush(k);
  for (let pages = ownSharedPages(task); pages > 0; pages -= BATCH_PAGES)
    yield Math.min(pages, BATCH_PAGES) * EXIT_SHMEM_FREED_US;
}

/** zap_pte_range of what the mapping has in one table. */
function* unmapTable(k: Kernel, task: Task, vma: Vma, key: number, gather: Gather): Generator<number, void, void> {
  const first = key * 512;
  const end = Math.min(vma.end, first + 512);
  let unmapped = 0;
  for (let from = Math.max(vma.start, first); from < end; ) {
    const pmd = task.mm.pmds.get(key);
    if (!pmd) break;
    const { room } = gather;
    let pages = 0;
    let to = from;
    // A huge page is one.
    if (pmd.huge !== 0) {
      pages = 1;
      to = end;
    } else for (; to < end && pages < room; to++) if (isGathered(pmd, to - first)) pages++;
    gather.unmap(k, task, vma, from, to, pages);
    unmapped += pages;
    from = to;
    if (pages < room || gather.nextBatch()) continue;
    yield unmapped * EXIT_UNMAPPED_US;
    unmapped = 0;
    yield* gather.flush(k);
  }
  yield unmapped * EXIT_UNMAPPED_US;
}

/** Pages of shared memory without a name that only this process has mapped: they end with it. */
function ownSharedPages({ mm }: Task): number {
  const objects = new Set(mm.vmas.map(({ object }) => object));
  let pages = 0;
  for (const object of objects) {
    if (object?.kind !== 'shmem' || object.links > 0) continue;
    const own = [...object.vmas].filter((vma) => vma.mm === mm).length;
    if (own === object.users) pages += object.nrPages;
  }
  return pages;
}
