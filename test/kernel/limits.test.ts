import { expect, test } from 'vitest';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { Memory } from '../../sim/contract/memory.ts';
import {
  createKernel,
  KERNEL_DEFAULTS,
  type KernelOptions,
  MADV_FREE,
  MADV_HUGEPAGE,
  PROT_READ,
  PROT_WRITE,
} from '../../sim/kernel/kernel.ts';
import {
  BRK_START_PAGE,
  FENCE_PAGE,
  MMAP_BOTTOM_PAGE,
  REAL_AREA_PAGES,
  realAddress,
  relativeAddress,
  simulatedAddress,
} from '../../sim/kernel/layout.ts';

const RW = PROT_READ | PROT_WRITE;
const kernelWith = (options: Partial<KernelOptions>) =>
  createKernel(new Memory(), uncontendedLocks(), new Float64Array(32), { ...KERNEL_DEFAULTS, ...options });

test('RLIMIT_AS refuses what would pass it, brk and mmap alike', () => {
  const kernel = kernelWith({ rlimitAs: 40960 });
  expect(kernel.brk(0, BRK_START_PAGE + 6)).toBe(BRK_START_PAGE + 6);
  expect(kernel.mmap(0, 0, 5, RW, 0)).toBe(-1);
  expect(kernel.mmap(0, 0, 4, 0, 0)).toBeGreaterThan(0);
  expect(kernel.brk(0, BRK_START_PAGE + 7)).toBe(BRK_START_PAGE + 6);
});

test('RLIMIT_DATA counts writable pages only', () => {
  const kernel = kernelWith({ rlimitData: 40960 });
  const start = kernel.mmap(0, 0, 100, 0, 0);
  expect(kernel.mprotect(0, start, 10, RW)).toBe(0);
  expect(kernel.mprotect(0, start + 10, 1, RW)).toBe(-1);
});

test('kernel 6.1 aligns nothing, 6.18 lengths of whole huge pages', () => {
  for (const [version, at] of [
    ['6.1', FENCE_PAGE - 1 - 512],
    ['6.18', FENCE_PAGE - 1024],
  ] as const) {
    const kernel = kernelWith({ version });
    kernel.mmap(0, 0, 1, RW, 0);
    expect(kernel.mmap(0, 0, 512, RW, 0)).toBe(at);
  }
});

test('MADV_FREE keeps pages resident until they are written or given back', () => {
  const kernel = kernelWith({});
  const start = kernel.mmap(0, 0, 4, RW, 0);
  kernel.touchRange(start, start + 3);
  kernel.madvise(0, start, 4, MADV_FREE);
  expect([kernel.residency.residentPages(), kernel.residency.lazilyFreedPages()]).toEqual([4, 4]);
  kernel.touch(start);
  expect([kernel.residency.faults(), kernel.residency.lazilyFreedPages()]).toEqual([4, 3]);
  kernel.munmap(0, start, 4);
  expect([kernel.residency.residentPages(), kernel.residency.lazilyFreedPages()]).toEqual([0, 0]);
});

test('a read maps the zero page, which is not resident, and the write after it faults again', () => {
  const kernel = kernelWith({});
  const start = kernel.mmap(0, 0, 1, RW, 0);
  kernel.readRange(start, start);
  expect([kernel.residency.residentPages(), kernel.residency.faults()]).toEqual([0, 1]);
  kernel.touch(start);
  expect([kernel.residency.residentPages(), kernel.residency.faults()]).toEqual([1, 2]);
});

test('a transparent huge page comes with the first fault in 2 MiB that are wholly mapped and advised', () => {
  const kernel = kernelWith({ thp: 'madvise' });
  const start = kernel.mmap(0, 0, 1024, RW, 0);
  kernel.touch(start);
  expect(kernel.residency.residentPages()).toBe(1);
  kernel.madvise(0, start, 1024, MADV_HUGEPAGE);
  kernel.touch(start + 1); // its 2 MiB have a small page already
  kernel.touch(start + 700);
  expect([kernel.residency.residentPages(), kernel.residency.hugeFaults()]).toEqual([2 + 512, 1]);
  kernel.munmap(0, start + 1000, 24);
  expect(kernel.residency.hugePages()).toBe(0);
});

test('addresses are shown in the real process and found again', () => {
  const heap = BRK_START_PAGE * 4096 + 672;
  const mapped = FENCE_PAGE * 4096 - 135168 + 16;
  expect(realAddress(mapped)).toBe(0x7f0000000000 - 135168 + 16);
  expect([relativeAddress(heap), relativeAddress(mapped)]).toEqual(['heap+672', 'fence-135152']);
  for (const address of [0, heap, mapped]) expect(simulatedAddress(realAddress(address))).toBe(address);
});

test('what only the size of the simulated address space refuses is counted', () => {
  const kernel = kernelWith({});
  expect(kernel.mmap(0, 0, FENCE_PAGE - MMAP_BOTTOM_PAGE + 1, RW, 0)).toBe(-1);
  expect(kernel.brk(0, MMAP_BOTTOM_PAGE + 1)).toBe(BRK_START_PAGE);
  expect(kernel.mmap(0, 0, REAL_AREA_PAGES, RW, 0)).toBe(-1); // nobody gets that
  expect(kernel.brk(0, BRK_START_PAGE + REAL_AREA_PAGES)).toBe(BRK_START_PAGE); // nor that
  kernel.refuseMemory(true); // as the recorded program was
  expect(kernel.brk(0, MMAP_BOTTOM_PAGE + 1)).toBe(BRK_START_PAGE);
  kernel.refuseMemory(false);
  expect(kernel.spaceRefusals()).toEqual({ mappings: 1, farMappings: 0, breaks: 1 });
  const limited = kernelWith({ rlimitData: 1 << 20 });
  limited.brk(0, MMAP_BOTTOM_PAGE + 1);
  expect(limited.spaceRefusals().breaks).toBe(0);
});
