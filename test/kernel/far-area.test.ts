import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { Memory } from '../../sim/contract/memory.ts';
import { createKernel, MADV_DONTNEED, MAP_BY_PAGE, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { FAR_PAGES, FENCE_PAGE, realAddress, simulatedAddress } from '../../sim/kernel/layout.ts';

const RW = PROT_READ | PROT_WRITE;
const GIB_PAGES = 2 ** 18;

const newKernel = (version: '6.1' | '6.18' = '6.18') =>
  createKernel(new Memory(), uncontendedLocks(), new Float64Array(32), {
    version,
    thp: 'never',
    rlimitAs: Infinity,
    rlimitData: Infinity,
    farPages: FAR_PAGES,
  });

test('large mappings, and those after them, lie where Linux puts them', () => {
  // As strace showed it of a program under Linux 6.18: distances from a first mapping of 1,052,672 bytes.
  const kernel = newKernel();
  const lines: string[] = [];
  const first = kernel.mmap(0, 0, 257, RW, 0);
  const fenceToFirst = (FENCE_PAGE - first) * 4096;
  kernel.observeSyscalls((_t, text) => lines.push(text));
  const map = (bytes: number) => kernel.mmap(0, 0, bytes / 4096, RW, MAP_BY_PAGE);
  const grow = (start: number, from: number, to: number) => kernel.mremap(0, start, from / 4096, to / 4096, true, true);
  const eight = map(8589938688);
  map(5368725504);
  const moved = grow(map(209719296), 209719296, 7516196864);
  const shrunk = grow(moved, 7516196864, 6442455040);
  grow(shrunk, 6442455040, 9663680512);
  kernel.munmap(0, eight, 8589938688 / 4096);
  map(6442455040);
  const results = lines.flatMap((line) => {
    const match = /= fence-(\d+)$/.exec(line);
    return match ? [Number(match[1]) - fenceToFirst] : [];
  });
  expect(results).toEqual([8589938688, 13958664192, 14168383488, 21684580352, 21684580352, 31348260864, 6442455040]);
  kernel.vmas.check();
});

test('a terabyte is mapped, its pages are counted, and goes', () => {
  const kernel = newKernel();
  const start = kernel.mmap(0, 0, 2 ** 28 + 1, RW, MAP_BY_PAGE);
  expect(start).toBeGreaterThanOrEqual(FENCE_PAGE);
  expect(kernel.mappedPages()).toBe(2 ** 28 + 1);
  for (const page of [start, start + 12345678, start + 2 ** 28]) kernel.touch(page);
  expect(kernel.residency.residentPages()).toBe(3);
  expect(kernel.residency.residentIn(start, start + 2 ** 28 + 1)).toBe(3);
  kernel.madvise(0, start, 2 ** 28, MADV_DONTNEED);
  expect(kernel.residency.residentPages()).toBe(1);
  kernel.munmap(0, start, 2 ** 28 + 1);
  expect([kernel.mappedPages(), kernel.residency.residentPages(), kernel.vmas.count()]).toEqual([0, 0, 0]);
  expect(kernel.spaceRefusals()).toEqual({ mappings: 0, farMappings: 0, breaks: 0 });
});

test('a mapping of fine addresses stays in 24 GiB, and one of pages goes on beyond them', () => {
  const kernel = newKernel();
  for (let i = 0; i < 7; i++) expect(kernel.mmap(0, 0, 3 * GIB_PAGES, RW, 0)).toBeGreaterThan(0);
  expect(kernel.mmap(0, 0, 3 * GIB_PAGES + 1, RW, 0)).toBe(-1);
  expect(kernel.mmap(0, 0, 3 * GIB_PAGES + 1, RW, MAP_BY_PAGE)).toBeGreaterThanOrEqual(FENCE_PAGE);
  expect(kernel.spaceRefusals()).toEqual({ mappings: 1, farMappings: 0, breaks: 0 });
  expect(kernel.mmap(0, 0, FAR_PAGES + 1, RW, MAP_BY_PAGE)).toBe(-1);
  expect(kernel.spaceRefusals().farMappings).toBe(1);
});

test('addresses of the far area and real ones are each other’s inverse', () => {
  for (const page of [FENCE_PAGE, FENCE_PAGE + 77, FENCE_PAGE + FAR_PAGES - 1]) {
    expect(simulatedAddress(realAddress(page * 4096 + 16))).toBe(page * 4096 + 16);
  }
});

test('whatever is mapped, moved and unmapped: nothing overlaps, low bits are kept, everything goes', () => {
  const sizes = fc.integer({ min: 1, max: 40 * GIB_PAGES });
  const action = fc.record({ kind: fc.constantFrom('map', 'map', 'resize', 'unmap'), pages: sizes, at: fc.nat() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const kernel = newKernel('6.1');
      const live: { start: number; pages: number }[] = [];
      for (const { kind, pages, at } of actions) {
        if (kind === 'map' || live.length === 0) {
          const start = kernel.mmap(0, 0, pages, RW, MAP_BY_PAGE);
          if (start < 0) continue;
          live.push({ start, pages });
        } else {
          const own = live[at % live.length]!;
          if (kind === 'unmap') {
            kernel.munmap(0, own.start, own.pages);
            live.splice(live.indexOf(own), 1);
          } else {
            kernel.touch(own.start);
            const start = kernel.mremap(0, own.start, own.pages, pages, true, true);
            if (start < 0) continue;
            Object.assign(own, { start, pages });
            expect(kernel.residency.residentIn(start, start + 1)).toBe(1);
          }
        }
        kernel.vmas.check();
        expect(kernel.mappedPages()).toBe(live.reduce((sum, mapping) => sum + mapping.pages, 0));
        const inOrder = [...live].sort((a, b) => a.start - b.start);
        inOrder.forEach((mapping, i) => {
          if (i > 0) expect(inOrder[i - 1]!.start + inOrder[i - 1]!.pages).toBeLessThanOrEqual(mapping.start);
        });
      }
      for (const { start, pages } of live) kernel.munmap(0, start, pages);
      expect([kernel.mappedPages(), kernel.vmas.count(), kernel.residency.residentPages()]).toEqual([0, 0, 0]);
    }),
    { numRuns: 15 },
  );
});
