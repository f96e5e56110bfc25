/** Loads and stores of a process: what the processor does by itself, and the fault where it cannot. */
import type { Kernel, Task } from './kernel.ts';
import { FAULT_OOM, FAULT_SIGBUS, handleMmFault } from './memory.ts';
import type { Vma } from './mm-types.ts';
import { type Pmd, PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from './page-table.ts';
import { expandStack } from './stack.ts';
import { VM_READ, VM_WRITE } from './vm-flags.ts';

export const SIGBUS = 7;
export const SIGKILL = 9;
export const SIGSEGV = 11;
/**
 * There is no page for it, and nobody may be killed (VM_FAULT_OOM): the access is made again, for ever where nothing changes. Whoever drives
 * the process lets others have the processor in between.
 */
export const OUT_OF_MEMORY = -2;

/** One access to a page. @returns 0, OUT_OF_MEMORY, or the signal that ends the process. */
export function touchPage(k: Kernel, task: Task, page: number, write: boolean): number {
  const vma = task.mm.findVma(page) ?? expandStack(k, task, page);
  return vma ? accessPage(k, task, vma, page, write) : SIGSEGV;
}

function accessPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): number {
  for (;;) {
    if (accessMapped(task.mm.pmdAt(page), page % 512, write) && vma.flags & (VM_READ | VM_WRITE)) return 0;
    if (!(vma.flags & (write ? VM_WRITE : VM_READ | VM_WRITE))) return SIGSEGV;
    const result = handleMmFault(k, task, vma, page, write);
    if (task.fatalSignal) return SIGKILL;
    if (result & FAULT_SIGBUS) return SIGBUS;
    if (result & FAULT_OOM) return OUT_OF_MEMORY;
  }
}

/** What the page table allows: the bits that the processor sets. */
function accessMapped(pmd: Pmd | undefined, i: number, write: boolean): boolean {
  if (!pmd) return false;
  pmd.young = true;
  if (pmd.huge !== 0) {
    if (write && !(pmd.huge & PTE_WRITE)) return false;
    pmd.huge |= write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
    return true;
  }
  const pte = pmd.get(i);
  if (!(pte & PTE_PRESENT) || (write && !(pte & PTE_WRITE))) return false;
  const used = pte | (write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  if (used !== pte) pmd.set(i, used);
  return true;
}

/** touchRange stopped on the way; it goes on from its cursor. */
export const PAUSED = -1;

/** Byte addresses that are still to be touched. */
export interface TouchCursor {
  at: number;
  readonly end: number;
}

export type TouchMode = 'write' | 'read' | 'rmw';

/**
 * One byte of every `stride` bytes from the cursor on. Whole folded tables are done at once.
 * @returns 0, PAUSED where `afterFault` asked for it, OUT_OF_MEMORY (the cursor is at that page), or the signal that ends the process.
 */
export function touchRange(
  k: Kernel,
  task: Task,
  cursor: TouchCursor,
  stride: number,
  mode: TouchMode,
  afterFault: () => boolean,
): number {
  const { end } = cursor;
  while (cursor.at < end) {
    const { at } = cursor;
    const page = Math.floor(at / 4096);
    const vma = task.mm.findVma(page) ?? expandStack(k, task, page);
    if (!vma) return SIGSEGV;
    const tableEnd = Math.min((Math.floor(page / 512) + 1) * 512, vma.end) * 4096;
    const stop = Math.min(end, tableEnd);
    const pmd = task.mm.pmdAt(page);
    if (
      stride <= 4096 &&
      page % 512 === 0 &&
      stop - at >= 511 * 4096 &&
      vma.end * 4096 >= tableEnd &&
      touchFolded(pmd, mode !== 'read')
    ) {
      cursor.at += Math.ceil((stop - at) / stride) * stride;
      continue;
    }
    let pause = false;
    while (cursor.at < stop && !pause) {
      const current = Math.floor(cursor.at / 4096);
      const faults = task.minflt + task.majflt;
      if (mode !== 'write') {
        const signal = accessPage(k, task, vma, current, false);
        if (signal !== 0) return signal;
      }
      if (mode !== 'read') {
        const signal = accessPage(k, task, vma, current, true);
        if (signal !== 0) return signal;
      }
      cursor.at += stride;
      if (stride < 4096) cursor.at += Math.max(0, Math.ceil(((current + 1) * 4096 - cursor.at) / stride)) * stride;
      if (task.minflt + task.majflt !== faults) {
        pause = afterFault();
        if (task.fatalSignal) return SIGKILL;
      }
    }
    if (stride <= 4096 && stop === tableEnd && cursor.at >= stop) task.mm.pmdAt(page)?.fold();
    if (pause) return PAUSED;
  }
  return 0;
}

function touchFolded(pmd: Pmd | undefined, write: boolean): boolean {
  if (!pmd) return false;
  if (pmd.huge !== 0) return accessMapped(pmd, 0, write);
  if (pmd.first === 0 || (write && !(pmd.first & PTE_WRITE))) return false;
  pmd.young = true;
  pmd.first |= write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  return true;
}
