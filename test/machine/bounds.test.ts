import { describe, expect, test } from 'vitest';
import { parseScript } from '../../machine/script/parse.ts';
import { runMachineScript } from '../../machine/script/run.ts';

const SMALL_DISK = '--disk-free 8M';

/** What the commands after `new a` answer on a machine of 256 MB: the error, the state, or nothing. */
function answers(lines: readonly string[], disk = ''): unknown[] {
  const run = runMachineScript(`#! -m 256 ${disk}\nnew a\n${lines.join('\n')}\n`, { name: 's.txt' });
  return run.lines.flatMap(({ t, step, err, state }) => (t === 'step' && step !== 1 ? [err ?? state] : []));
}

describe('a request of terabytes costs what the machine has, and ends as a real one does', () => {
  test.each<[string, readonly string[], readonly unknown[]]>([
    ['swap whose map is more than the memory', ['swap 1T', 'swap 64G'], ['ENOMEM', undefined]],
    ['zram whose table is', ['swap 1T zram ratio=3'], ['ENOMEM']],
    ['a file that the disk cannot hold', ['a write /mnt/f 0 2T', 'a write /mnt/g 0 4K'], ['ENOSPC', 'ENOSPC']],
    ['what is unlinked is free again', ['a write /mnt/f 0 2T', 'a unlink /mnt/f', 'a write /mnt/g 0 4K'], ['ENOSPC', undefined, undefined]],
    ['what is truncated, too', ['a write /mnt/f 0 2T', 'a truncate /mnt/f 1M', 'a write /mnt/g 0 4K'], ['ENOSPC', undefined, undefined]],
    ['what is written again has its blocks', ['a write /mnt/f 0 2T', 'a write /mnt/f 0 4M'], ['ENOSPC', undefined]],
    ['a mapping of a file on a full disk', ['a write /mnt/f 0 2T', 'a truncate /mnt/g 4M', 'a filemap G /mnt/g 4M shared', 'a touch G 0 4M'], ['ENOSPC', undefined, undefined, 'died']],
    ['a directory on a full disk, which is a block', ['a write /mnt/f 0 2T', 'a mkdir /mnt/d', 'a unlink /mnt/f', 'a mkdir /mnt/d'], ['ENOSPC', 'ENOSPC', undefined, undefined]],
    ['tmpfs as large as memory', ['mount tmpfs /t size=2T', 'a write /t/f 0 2T'], [undefined, 'died']],
    ['descriptors', ['a fds 1000000000'], ['died']],
    ['more descriptors than fs.nr_open', ['a rlimit nofile unlimited', 'a pipes 1000000000'], ['EPERM', 'died']],
    ['sockets', ['a sockets 1000000000'], ['died']],
    ['threads', ['a threads 1000000000'], ['EAGAIN']],
    ['inodes', ['a files /dev/shm 1000000'], ['ENOSPC']],
    ['pages', ['a mmap A 2T private noreserve', 'a touch A 0 2T'], [undefined, 'died']],
  ])('%s', (_, lines, expected) => {
    expect(answers(lines, SMALL_DISK)).toEqual(expected);
  }); // biome-ignore format: a table
});

test('the first write through a mapping, when a flusher is due, has no group yet', () => {
  const lines = ['a truncate /mnt/f 1M', 'a filemap F /mnt/f 1M shared', 'a touch F 0 4K', 'a msync F 0 4K'];
  expect(answers(lines)).toEqual([undefined, undefined, undefined, undefined]);
});

test('an object beyond 16 TiB has each of its pages at its own place', () => {
  const run = runMachineScript('new a\na memfd Z 20T shared\na touch Z 0 4K\na touch Z 16T 4K\nsample e\n');
  expect(run.k.vmstat.nr_shmem).toBe(2);
});

test.each([
  ['a truncate /mnt/f 2T', "s.txt:3: truncate: found '2T', expected a file of at most 8192M (8G, twice the memory, or the disk)"],
  ['a write /mnt/f 2T 4K', "s.txt:3: write: found '2T', expected a file of at most 8192M (8G, twice the memory, or the disk)"],
  ['sleep 99999999999999999999', 's.txt:3: sleep: found 99999999999999999999, expected at most 31622400000 ms (366 days)'],
  ['a sockets 2 queued=40M', "s.txt:3: sockets: found '40M', expected at most 208K, which a socket's buffer holds"],
  ['a sockets 2 queued=-4K', "s.txt:3: sockets: found 'queued=-4K', expected queued=SIZE"],
  ['new b \u001b[31m', 's.txt:3: found \\x1b, expected text without controls'],
  ['a pipes -3', "s.txt:3: pipes: found '-3', expected a whole number from 0"],
  ['a mmap A -4K private', "s.txt:3: mmap: found '-4K', expected a size such as 4096, 4K, 10M, 2G, 3p (pages) or 2h (2 MiB units)"],
  ['a brk 9007199254740993', "s.txt:3: brk: found '9007199254740993', expected a size such as 4096, 4K, 10M, 2G, 3p (pages) or 2h (2 MiB units), + or - before it"],
  ['a dentries /mnt 1000000000', 's.txt:3: dentries: found 1000000000, expected at most 1000000 names'],
])('%s is refused before it begins', (line, message) => {
  expect(() => answers([line])).toThrow(message);
}); // biome-ignore format: a table

test('the disk of a script that says nothing is the recorded one', () => {
  expect(parseScript('').options.diskBytes).toBe(245_093 * 4096);
});
