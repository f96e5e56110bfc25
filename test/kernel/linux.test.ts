import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { Memory } from '../../sim/contract/memory.ts';
import { OP_BRK_SHRINKS, OP_FLUSHES, OP_MAPPINGS_ENTERED, OPERATIONS } from '../../sim/contract/operations.ts';
import {
  createKernel,
  KERNEL_DEFAULTS,
  MADV_DONTNEED,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../sim/kernel/kernel.ts';

// Random system calls and what Linux 6.18 answered, in a process whose mmap area was empty below the fence. Pages:
//   mm hint length prot | mu start length | mr start old new mayMove | mp start length prot | ma start length advice
//   to start length     the pages are written
// and in the last line the resident and the mapped pages at the end.
const FIXTURES = new URL('../fixtures/kernel/', import.meta.url);

for (const file of readdirSync(FIXTURES)) {
  test(`${file}: every call has the result of the real kernel`, () => {
    const kernel = createKernel(new Memory(), uncontendedLocks(), new Float64Array(32), KERNEL_DEFAULTS);
    const lines = readFileSync(new URL(file, FIXTURES), 'utf8').trim().split('\n').slice(1);
    const end = /^rss (\d+) size (\d+)$/.exec(lines.pop()!)!;
    lines.forEach((line, i) => {
      const [call, result] = line.split('=');
      const [op, a, b, c, d] = call!.split(' ').map((word, j) => (j === 0 ? word : Number(word))) as [
        string,
        ...number[],
      ];
      expect(execute(op, a!, b!, c!, d!), `line ${i + 2}: ${line}`).toBe(Number(result));
      kernel.vmas.check();
    });
    expect([kernel.residency.residentPages(), kernel.mappedPages()]).toEqual([Number(end[1]), Number(end[2])]);

    function execute(op: string, a: number, b: number, c: number, d: number): number {
      switch (op) {
        case 'mm':
          return kernel.mmap(0, a, b, c, 0);
        case 'mu':
          return kernel.munmap(0, a, b);
        case 'mr':
          return kernel.mremap(0, a, b, c, d === 1);
        case 'mp':
          return kernel.mprotect(0, a, b, c);
        case 'ma':
          expect(c).toBe(MADV_DONTNEED);
          return kernel.madvise(0, a, b, c);
        default:
          kernel.touchRange(a, a + b - 1);
          return 0;
      }
    }
  });
}

test('what is priced beside a call: pages taken away, memory given back, the first fault of a mapping', () => {
  const operations = new Float64Array(OPERATIONS.length);
  const kernel = createKernel(new Memory(), uncontendedLocks(), operations, KERNEL_DEFAULTS);
  const counts = () => [OP_FLUSHES, OP_BRK_SHRINKS, OP_MAPPINGS_ENTERED].map((name) => operations[name]);
  const first = kernel.mmap(0, 0, 10, PROT_READ | PROT_WRITE, 0);
  kernel.touchRange(first, first + 4);
  expect(counts()).toEqual([0, 0, 1]);
  const second = kernel.mmap(0, 0, 10, PROT_READ | PROT_WRITE, 0);
  expect(second).toBe(first - 10); // joins the first one
  kernel.touch(second);
  expect(counts()).toEqual([0, 0, 1]);
  const apart = kernel.mmap(0, 0, 10, PROT_NONE, 0);
  kernel.mprotect(0, apart, 2, PROT_READ | PROT_WRITE);
  kernel.touchRange(apart, apart + 1);
  expect(counts()).toEqual([0, 0, 2]);
  kernel.madvise(0, first + 5, 5, MADV_DONTNEED); // nothing there
  expect(counts()).toEqual([0, 0, 2]);
  kernel.madvise(0, first, 10, MADV_DONTNEED);
  kernel.munmap(0, second, 20);
  expect(counts()).toEqual([2, 0, 2]);
  const start = kernel.brkEnd();
  kernel.brk(0, start + 30);
  kernel.touch(start + 20);
  kernel.brk(0, start + 10);
  expect(counts()).toEqual([3, 1, 3]);
});
