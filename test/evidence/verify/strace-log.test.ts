import { expect, test } from 'vitest';
import { parseStraceLog } from '../../../bench/evidence/verify/strace-log.ts';

const log = (...lines: string[]) => parseStraceLog(`${lines.join('\n')}\n`);

test('calls between the marks, in the simulated kernel’s words', () => {
  const calls = log(
    '100 brk(NULL)                         = 0x61a34c95f000',
    '100 brk(NULL)                         = 0x55555556a000',
    '100 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7ffff7d00000',
    '100 write(-1, "htrace:begin", 12)     = -1 EBADF (Bad file descriptor)',
    '100 brk(NULL)                         = 0x55555556a000',
    '100 brk(0x55555558b000)               = 0x55555558b000',
    '100 write(-1, "htrace:3", 8)          = -1 EBADF (Bad file descriptor)',
    '100 mmap(NULL, 135168, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7efffffdf000',
    '100 mremap(0x7efffffdf000, 135168, 270336, MREMAP_MAYMOVE) = 0x7efffffbe000',
    '100 munmap(0x7efffffbe000, 270336)    = 0',
    '100 madvise(0x7efffe000000, 4096, MADV_DONTNEED) = -1 EINVAL (Invalid argument)',
    '100 write(-1, "htrace:end", 10)       = -1 EBADF (Bad file descriptor)',
    '100 munmap(0x7efffffbe000, 270336)    = 0',
  );
  expect(calls.map((call) => call.text)).toEqual([
    'brk NULL = heap+0',
    'brk heap+135168 = heap+135168',
    'mmap NULL 135168 PROT_READ|PROT_WRITE MAP_PRIVATE|MAP_ANONYMOUS = fence-135168',
    'mremap fence-135168 135168 270336 MREMAP_MAYMOVE = fence-270336',
    'munmap fence-270336 270336',
    'madvise fence-33554432 4096 MADV_DONTNEED = -1',
  ]);
  expect(calls.map((call) => call.event)).toEqual([undefined, undefined, 3, 3, 3, 3]);
});

test('threads are numbered in the order of their creation, not of their first call', () => {
  const calls = log(
    '100 brk(NULL) = 0x55555556a000',
    '100 write(-1, "htrace:begin", 12) = -1 EBADF (Bad file descriptor)',
    '100 clone3({flags=CLONE_VM}, 88) = 101',
    '100 clone3({flags=CLONE_VM}, 88 <unfinished ...>',
    '102 mprotect(0x7efff8000000, 4096, PROT_READ|PROT_WRITE <unfinished ...>',
    '100 <... clone3 resumed>) = 102',
    '102 <... mprotect resumed>) = 0',
    '101 mprotect(0x7efff0000000, 8192, PROT_READ|PROT_WRITE) = 0',
  );
  expect(calls).toEqual([
    { thread: 2, text: 'mprotect fence-134217728 4096 PROT_READ|PROT_WRITE', event: undefined },
    { thread: 1, text: 'mprotect fence-268435456 8192 PROT_READ|PROT_WRITE', event: undefined },
  ]);
});

test('a call that returns after its thread has finished in silence, and others have begun, keeps its place', () => {
  const calls = log(
    '100 brk(NULL) = 0x55555556a000',
    '100 write(-1, "htrace:begin", 12) = -1 EBADF (Bad file descriptor)',
    '100 clone3({flags=CLONE_VM}, 88) = 101',
    '100 clone3({flags=CLONE_VM}, 88 <unfinished ...>',
    '101 clone3({flags=CLONE_VM}, 88) = 103',
    '100 <... clone3 resumed>) = 102',
    '103 munmap(0x7efff8000000, 4096) = 0',
    '102 munmap(0x7efff8000000, 4096) = 0',
  );
  expect(calls.map((call) => call.thread)).toEqual([3, 2]);
});

test('a number that the kernel uses again is another thread; it may have exited before its clone returns', () => {
  const calls = log(
    '100 brk(NULL) = 0x55555556a000',
    '100 write(-1, "htrace:begin", 12) = -1 EBADF (Bad file descriptor)',
    '100 clone3({flags=CLONE_VM}, 88) = 101',
    '101 munmap(0x7efff8000000, 4096) = 0',
    '101 +++ exited with 0 +++',
    '100 clone3({flags=CLONE_VM}, 88 <unfinished ...>',
    '101 munmap(0x7efff8000000, 8192) = 0',
    '101 +++ exited with 0 +++',
    '100 <... clone3 resumed>) = 101',
    '100 clone3({flags=CLONE_VM}, 88 <unfinished ...>',
    '101 +++ exited with 0 +++',
    '100 <... clone3 resumed>) = 101',
    '100 clone3({flags=CLONE_VM}, 88) = 101',
    '101 munmap(0x7efff8000000, 12288) = 0',
  );
  expect(calls.map((call) => call.thread)).toEqual([1, 2, 4]);
});
