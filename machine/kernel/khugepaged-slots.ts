/** mm/khugepaged.c: which address spaces the thread looks at, and when it wants the processor. */
import { hugepageVmaCheck } from './huge-vma.ts';
import type { Kernel } from './kernel.ts';
import type { Mm, Vma } from './mm-types.ts';

/** The thread: the address spaces that it looks at, in order, and where it has got to (khugepaged_scan). */
export interface Khugepaged {
  readonly slots: Mm[];
  slot: Mm | null;
  page: number;
  /** Woken, and not yet through with what it does at one waking. */
  isScanning: boolean;
  /** What it does: each value is the time that a part took, in microseconds. */
  scan: Generator<number, void> | null;
  /** When it looks again, or goes on after a huge page was not to be had. */
  wakeUs: number;
}

const threads = new WeakMap<Kernel, Khugepaged>();

export function threadOf(k: Kernel): Khugepaged {
  let thread = threads.get(k);
  if (!thread) {
    thread = { slots: [], slot: null, page: 0, isScanning: false, scan: null, wakeUs: 0 };
    threads.set(k, thread);
  }
  return thread;
}

/** hugepage_flags_enabled and khugepaged_has_work. */
const hasWork = (k: Kernel, { slots }: Khugepaged): boolean => k.thp.enabled !== 'never' && slots.length > 0;

/** khugepaged_enter_vma. */
export function khugepagedEnterVma(k: Kernel, vma: Vma): void {
  const { mm } = vma;
  if (mm.onKhugepagedList || !vma.anonVma || k.thp.enabled === 'never' || !hugepageVmaCheck(k, vma)) return;
  khugepagedEnter(k, mm);
}

/** __khugepaged_enter: the first on the list wakes the thread where it waits for work, and not where it waits for its time. */
export function khugepagedEnter(k: Kernel, mm: Mm): void {
  const thread = threadOf(k);
  mm.onKhugepagedList = true;
  if (thread.slots.push(mm) === 1 && thread.wakeUs <= k.nowUs) khugepagedWake(k);
}

/** __khugepaged_exit. */
export function khugepagedExit(k: Kernel, mm: Mm): void {
  if (!mm.onKhugepagedList) return;
  const thread = threadOf(k);
  if (thread.slot === mm) toNextSlot(thread);
  thread.slots.splice(thread.slots.indexOf(mm), 1);
  mm.onKhugepagedList = false;
}

export function toNextSlot(thread: Khugepaged): void {
  thread.slot = thread.slots[thread.slots.indexOf(thread.slot!) + 1] ?? null;
  thread.page = 0;
}

/** Wakes the thread where it waits: for work, or for its time (a setting was written). */
export function khugepagedWake(k: Kernel): void {
  const thread = threadOf(k);
  if (thread.isScanning || !hasWork(k, thread)) return;
  thread.isScanning = true;
  thread.wakeUs = k.nowUs;
}

/** Whether the thread wants the processor now. */
export const khugepagedIsRunnable = (k: Kernel): boolean => khugepagedWakeUs(k) <= k.nowUs;

/** When the thread wants the processor again: now, at the end of a sleep, or never. */
export function khugepagedWakeUs(k: Kernel): number {
  const thread = threadOf(k);
  return hasWork(k, thread) ? thread.wakeUs : Number.POSITIVE_INFINITY;
}
