import { assert, ProcessKilled, UserError } from '../../sim/contract/assert.ts';
import type { MemoryBacking } from '../../sim/kernel/backing.ts';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MAP_NORESERVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../sim/kernel/kernel.ts';
import { BRK_SHIFT_PAGES, FENCE_PAGE, MMAP_BOTTOM_PAGE, realAddress } from '../../sim/kernel/layout.ts';
import { ABSENT, RESIDENT } from '../../sim/kernel/residency.ts';
import type { Advice } from '../kernel/advice.ts';
import { PG_SWAPBACKED } from '../kernel/frames.ts';
import { faultAll } from '../kernel/gup.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { doMadvise } from '../kernel/madvise.ts';
import { doMunmap, mmapRegion } from '../kernel/mmap.ts';
import { doMprotect } from '../kernel/mprotect.ts';
import { doMremap } from '../kernel/mremap.ts';
import type { Tlb } from '../kernel/page-table.ts';
import { frameOfPte, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from '../kernel/page-table.ts';
import { CALL_US } from '../kernel/recorded-prices.ts';
import { OUT_OF_MEMORY, SIGKILL, touchPage } from '../kernel/touch.ts';
import { VM_EXEC, VM_HEAP, VM_NORESERVE, VM_READ, VM_WRITE } from '../kernel/vm-flags.ts';

const FAR_SHIFT_PAGES = realAddress(FENCE_PAGE * 4096) / 4096 - FENCE_PAGE;
const MMAP_SHIFT_PAGES = realAddress(FENCE_PAGE * 4096 - 4096) / 4096 - (FENCE_PAGE - 1);

/** Page of the process's real address space for a simulated one, and back. */
const realPage = (page: number): number =>
  page + (page < MMAP_BOTTOM_PAGE ? BRK_SHIFT_PAGES : page < FENCE_PAGE ? MMAP_SHIFT_PAGES : FAR_SHIFT_PAGES);
const HEAP_START = realPage(0);
const AREA_START = realPage(MMAP_BOTTOM_PAGE);
const AREA_END = realPage(FENCE_PAGE - 1) + 1;

const ADVICE: Readonly<Record<number, Advice>> = {
  [MADV_DONTNEED]: 'dontneed',
  [MADV_FREE]: 'free',
  [MADV_HUGEPAGE]: 'hugepage',
  [MADV_NOHUGEPAGE]: 'nohugepage',
};

const vmFlags = (prot: number): number =>
  (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) | (prot & PROT_EXEC ? VM_EXEC : 0);

/**
 * The memory of a process of the machine, for the kernel that a model runs on (sim/kernel): its calls are the process's calls, its
 * accesses the process's. The two areas of that kernel lie where a process without randomised addresses has them.
 */
export class ProcessMemory implements MemoryBacking, Tlb {
  private readonly k: Kernel;
  private readonly task: Task;
  private pages: Uint8Array = new Uint8Array();
  private taken = 0;
  private huge = 0;
  private peakPages = 0;
  /** Pages that the process has had beside those of its program. */
  private readonly otherPages: number;

  constructor(k: Kernel, task: Task) {
    this.k = k;
    this.task = task;
    this.otherPages = this.countedPages();
    task.mm.tlb = this;
  }

  attach(pages: Uint8Array): void {
    this.pages = pages;
  }

  private countedPages(): number {
    let sum = 0;
    for (const member of [0, 1, 3] as const) sum += this.task.mm.rss[member] + this.task.rssCache[member];
    return sum;
  }

  map(start: number, end: number, prot: number, flags: number): boolean {
    const isHeap = start < MMAP_BOTTOM_PAGE;
    const error = mmapRegion(this.k, this.task, {
      start: realPage(start),
      pages: end - start,
      flags: vmFlags(prot) | (flags & MAP_NORESERVE ? VM_NORESERVE : 0) | (isHeap ? VM_HEAP : 0),
      object: null,
      pgoff: 0,
      name: isHeap ? '[brk]' : '',
    });
    this.k.nowUs += CALL_US;
    assert(error === undefined || error === 'ENOMEM', `the place of a mapping is taken: ${error}`);
    return error === undefined;
  }

  unmap(start: number, end: number): void {
    doMunmap(this.k, this.task, realPage(start), end - start);
    this.k.nowUs += CALL_US;
  }

  protect(start: number, end: number, prot: number): boolean {
    this.k.nowUs += CALL_US;
    return doMprotect(this.k, this.task, realPage(start), end - start, vmFlags(prot)) === undefined;
  }

  remap(start: number, oldPages: number, newPages: number, to: number): boolean {
    this.k.nowUs += CALL_US;
    const target = to === start ? undefined : realPage(to);
    return doMremap(this.k, this.task, realPage(start), oldPages, newPages, target) === undefined;
  }

  advise(start: number, end: number, advice: number): void {
    faultAll(doMadvise(this.k, this.task, realPage(start), end - start, ADVICE[advice]!));
    this.k.nowUs += CALL_US;
  }

  access(page: number, write: boolean): void {
    const { k, task, pages } = this;
    const before = task.minflt + task.majflt;
    const hugeBefore = k.vmstat.thp_fault_alloc;
    const at = realPage(page);
    const signal = touchPage(k, task, at, write);
    const faults = task.minflt + task.majflt - before;
    if (faults > 0) {
      this.taken += faults;
      this.huge += k.vmstat.thp_fault_alloc - hugeBefore;
      k.nowUs += faults * k.profile.prices.faultUs;
      if (k.nowUs >= k.queueTurnUs) k.hooks.queueTurn(task.group);
      this.peakPages = Math.max(this.peakPages, this.countedPages() - this.otherPages);
    }
    if (signal === SIGKILL || task.fatalSignal) throw new ProcessKilled(`process ${task.name} was killed`);
    if (signal === OUT_OF_MEMORY)
      throw new UserError(
        `${task.name}: found no memory for a page and nobody who may be killed, expected either: it would try for ever`,
      );
    assert(signal === 0, `signal ${signal}: page ${page} is not there for the allocator`);
    if (!write) return;
    const pmd = task.mm.pmdAt(at)!;
    if (pmd.huge & PTE_WRITE) {
      const first = page - (page % 512);
      pages.fill(RESIDENT, first, first + 512);
    } else pages[page] = RESIDENT;
  }

  flush(start: number, end: number): void {
    this.forget(Math.max(start, HEAP_START), Math.min(end, realPage(MMAP_BOTTOM_PAGE - 1) + 1), BRK_SHIFT_PAGES);
    this.forget(Math.max(start, AREA_START), Math.min(end, AREA_END), MMAP_SHIFT_PAGES);
    if (this.pages.length <= FENCE_PAGE) return;
    const farEnd = this.pages.length + FAR_SHIFT_PAGES;
    this.forget(Math.max(start, FENCE_PAGE + FAR_SHIFT_PAGES), Math.min(end, farEnd), FAR_SHIFT_PAGES);
  }

  /** Page by page, as what was never touched shall cost nothing. */
  private forget(start: number, end: number, shift: number): void {
    const { pages } = this;
    for (let page = start - shift; page < end - shift; page++) if (pages[page] !== ABSENT) pages[page] = ABSENT;
  }

  residentPeak(): number {
    return Math.max(this.peakPages, this.residentIn(0, this.pages.length));
  }

  residentIn(start: number, end: number): number {
    return this.count(start, end, () => true);
  }

  lazilyFreedIn(start: number, end: number): number {
    const { flags } = this.k.frames;
    return this.count(start, end, (frame) => !(flags[frame]! & PG_SWAPBACKED));
  }

  hugeIn(start: number, end: number): number {
    let count = 0;
    this.eachArea(start, end, (first, last) =>
      this.task.mm.eachPmd(first, last, (key, { huge }) => {
        if (huge !== 0 && !(huge & PTE_SPECIAL) && key * 512 >= first && key * 512 + 512 <= last) count++;
      }),
    );
    return count;
  }

  private count(start: number, end: number, isWanted: (frame: number) => boolean): number {
    let count = 0;
    this.eachArea(start, end, (first, last) =>
      this.task.mm.eachPmd(first, last, (key, pmd) => {
        const from = Math.max(first - key * 512, 0);
        const to = Math.min(last - key * 512, 512);
        for (let i = from; i < to; i++) {
          const pte = pmd.huge !== 0 ? pmd.huge : pmd.get(i);
          if (pte & PTE_PRESENT && !(pte & PTE_SPECIAL) && isWanted(frameOfPte(pte))) count++;
        }
      }),
    );
    return count;
  }

  private eachArea(start: number, end: number, visit: (first: number, last: number) => void): void {
    if (start < MMAP_BOTTOM_PAGE) visit(realPage(start), realPage(Math.min(end, MMAP_BOTTOM_PAGE) - 1) + 1);
    if (end > MMAP_BOTTOM_PAGE && start < FENCE_PAGE)
      visit(realPage(Math.max(start, MMAP_BOTTOM_PAGE)), realPage(Math.min(end, FENCE_PAGE) - 1) + 1);
    if (end > FENCE_PAGE) visit(realPage(Math.max(start, FENCE_PAGE)), realPage(end - 1) + 1);
  }

  faults(): number {
    return this.taken;
  }

  hugeFaults(): number {
    return this.huge;
  }
}
