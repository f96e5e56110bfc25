import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createKernel, KERNEL_DEFAULTS, MADV_DONTNEED } from '../../sim/kernel/kernel.ts';
import { Memory } from '../../sim/memory.ts';
import { uncontendedLocks } from '../../sim/threads/locks.ts';

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
