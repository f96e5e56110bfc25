import { describe, expect, it } from 'vitest';
import type { KernelVersion } from '../../sim/kernel/kernel.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { runZend, type ZendRun } from '../helpers/zend-run.ts';

// Numbers that others have published of PHP 5.6 and 7.1, and what the built-in workloads make of them. What PHP holds
// before the script (its baseline) is the workload's own; what happens from there on is the model's.

async function run(workload: string, allocator: string, version: KernelVersion = '6.1'): Promise<ZendRun> {
  const { events } = await resolveWorkload(workload);
  return runZend(allocator, events, { kernel: { version, thp: 'never' }, samplesOnly: true });
}

async function syscallsAfterStart(workload: string, allocator: string, version?: KernelVersion): Promise<string[]> {
  const { events } = await resolveWorkload(workload);
  const lines: string[] = [];
  const kernel = { version: version ?? ('6.1' as const), thp: 'never' as const };
  const result = runZend(allocator, events, {
    kernel,
    syscalls: { write: (line) => void lines.push(line), close: () => {}, discard: () => {} },
  });
  const start = result.samples[0]!.event;
  const after = lines.map((line) => line.split(' ')).filter((part) => Number(part[0]) >= start);
  return after.map((part) => part.slice(2).join(' '));
}

const at = (result: ZendRun, label: string): Sample => result.samples.find((s) => s.label === label)!;
const number = (sample: Sample, name: string) => sample.stats[name] as number;

/** `mmap 2097152`, `mremap 266240 528384`, `munmap 4096`, `madvise 2097152 MADV_HUGEPAGE`: without addresses. */
function lengths(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const [call, first, second, third] = line.split(' ');
    if (call === 'mmap') return `mmap ${second}`;
    if (call === 'mremap') return `mremap ${second} ${third}`;
    return call === 'madvise' ? `madvise ${second} ${third}` : `${call} ${call === 'brk' ? first : second}`;
  });
}

describe('a string that grows for ever', () => {
  const SEGMENT = 262144;

  it('is remapped by a segment each time under PHP 5.6, segments from malloc', async () => {
    const calls = lengths(await syscallsAfterStart('php-concat:php=5,step=256', 'zendmm@5.6'));
    const listing = Array.from(
      { length: 20 },
      (_, i) => `mremap ${266240 + i * SEGMENT} ${266240 + (i + 1) * SEGMENT}`,
    );
    expect(calls.slice(0, 21)).toEqual(['mmap 266240', ...listing]);
    expect(listing.at(-1)).toBe('mremap 5246976 5509120');
  });

  it('has no page of libc’s with segments from mmap', async () => {
    const calls = lengths(
      await syscallsAfterStart('php-concat:php=5,step=256,bytes=1200000', 'zendmm@5.6:mem_type=mmap_anon'),
    );
    expect(calls.slice(0, 5)).toEqual([
      'mmap 262144',
      'mremap 262144 524288',
      'mremap 524288 786432',
      'mremap 786432 1048576',
      'mremap 1048576 1310720',
    ]);
  });

  it('is a chunk, then a huge block that grows by pages under PHP 7.1 on Linux 6.1', async () => {
    const calls = await syscallsAfterStart('php-concat:php=7,step=256', 'zendmm@7.1');
    expect(lengths(calls).slice(0, 16)).toEqual([
      'mmap 2097152',
      'munmap 2097152',
      'mmap 4190208',
      'munmap 1880064',
      'munmap 212992',
      'madvise 2097152 MADV_HUGEPAGE',
      'mmap 2097152',
      'madvise 2097152 MADV_HUGEPAGE',
      'mmap 4096', // asked for behind the block, where the chunk lies: given back
      'munmap 4096',
      'mmap 2101248',
      'munmap 2101248',
      'mmap 4194304',
      'munmap 2093056',
      'madvise 2101248 MADV_HUGEPAGE',
      'munmap 2097152',
    ]);
    const extensions = calls.slice(16, 16 + 800);
    const places = extensions.map((line) => /^mmap (\S+) 4096 .* = (\S+)$/.exec(line)!);
    expect(places.every((m) => m[1] === m[2])).toBe(true);
  });

  it('gets each chunk in one mapping on Linux 6.18', async () => {
    const calls = lengths(await syscallsAfterStart('php-concat:php=7,step=256,bytes=2200000', 'zendmm@7.1', '6.18'));
    expect(calls.slice(0, 4)).toEqual([
      'mmap 2097152',
      'madvise 2097152 MADV_HUGEPAGE',
      'mmap 2097152',
      'madvise 2097152 MADV_HUGEPAGE',
    ]);
  });

  it('grows by mremap since PHP 8, and tries huge pages first where they are switched on', async () => {
    const plain = lengths(await syscallsAfterStart('php-concat:step=256,bytes=2200000', 'zendmm@8.2', '6.18'));
    expect(plain.slice(0, 10)).toEqual([
      'mmap 2097152',
      'mmap 2097152',
      'mremap 2097152 2101248',
      'mmap 2101248',
      'munmap 2101248',
      'mmap 4194304',
      'munmap 2093056',
      'munmap 2097152',
      'mremap 2101248 2105344',
      'mremap 2105344 2109440',
    ]);
    const huge = await syscallsAfterStart(
      'php-concat:step=256,bytes=2200000',
      'zendmm@8.2:USE_ZEND_ALLOC_HUGE_PAGES=1',
      '6.18',
    );
    expect(huge[0]).toContain('MAP_HUGETLB = -1');
    expect(lengths(huge).slice(0, 7)).toEqual([
      'mmap 2097152',
      'mmap 2097152',
      'madvise 2097152 MADV_HUGEPAGE',
      'mmap 2097152',
      'mmap 2097152',
      'madvise 2097152 MADV_HUGEPAGE',
      'mremap 2097152 2101248',
    ]);
  });
});

describe('range(1, 1048576) in PHP 5', () => {
  it('gives all but two segments back with segments from mmap', async () => {
    const result = await run('php-range:php=5', 'zendmm@5.6:mem_type=mmap_anon');
    const start = at(result, 'start').vszBytes;
    // Listing: 4404, 152116, 4916 kB, of which 4404 kB are the process's own before the array.
    expect((at(result, 'range').vszBytes - start) / 1024).toBe(152116 - 4404);
    expect((at(result, 'unset').vszBytes - start) / 1024).toBe(4916 - 4404);
  });

  it('keeps nearly all with segments from malloc', async () => {
    const result = await run('php-range:php=5', 'zendmm@5.6');
    const start = at(result, 'start').vszBytes;
    const grown = (at(result, 'range').vszBytes - start) / 1024;
    const kept = (at(result, 'unset').vszBytes - start) / 1024;
    // Listing: 4504, 152232, 143780 kB. What goes back is the mapping of the array's pointers, to the byte. How far the
    // break moves depends within a few pages on what is free above the process's last block before the array.
    expect(grown - kept).toBe(152232 - 143780);
    expect(Math.abs(grown - (152232 - 4504))).toBeLessThanOrEqual(8);
  });

  it('leaves nothing behind where no block had raised the mapping threshold before', async () => {
    const result = await run('php-range:php=5,primed=0,elements=65536', 'zendmm@5.6');
    expect(at(result, 'unset').vszBytes - at(result, 'start').vszBytes).toBeLessThan(1048576);
  });
});

describe('memory_get_usage(true) around a string of 10 MiB in PHP 5', () => {
  it.each([
    [262144, 768, 11264],
    [1048576, 1024, 12288],
  ])('with segments of %i bytes', async (size, before, with10M) => {
    const result = await run('php-repeat:php=5', `zendmm@5.6:seg_size=${size}`);
    expect(number(at(result, 'start'), 'memory_get_usage_real')).toBe(before * 1024);
    expect(number(at(result, 'string'), 'memory_get_usage_real')).toBe(with10M * 1024);
    expect(number(at(result, 'unset'), 'memory_get_usage_real')).toBe(before * 1024);
  });

  it('starts at the listing’s 621.62 kB, and counts the string with its header', async () => {
    const result = await run('php-repeat:php=5', 'zendmm@5.6');
    expect((number(at(result, 'start'), 'memory_get_usage') / 1024).toFixed(2)).toBe('621.62');
    const grown = number(at(result, 'string'), 'memory_get_usage') - number(at(result, 'start'), 'memory_get_usage');
    expect(grown).toBe(10485760 + 24); // 10861.83 kB less 621.62 kB in the listing, within 196 bytes of its script's own
  });

  it('with segments of 2048 bytes takes 5121 of them for the string', async () => {
    const result = await run('php-repeat:php=5', 'zendmm@5.6:seg_size=2048');
    const segments = (label: string) => number(at(result, label), 'memory_get_usage_real') / 2048;
    expect(segments('string') - segments('start')).toBe(5446 - 325);
    // 325 at the start in the listing: how its baseline's blocks fill segments is PHP's own.
    expect(Math.abs(segments('start') - 325)).toBeLessThanOrEqual(4);
  });
});

describe('requests that call a C library', () => {
  it('return to their cached chunks, and what the library took is in no PHP number', async () => {
    const result = await run('php-pool:requests=10', 'zendmm@8.2');
    for (let request = 2; request <= 10; request++) {
      const ended = at(result, `request ${request} ended`);
      expect(number(ended, 'memory_get_usage')).toBe(0);
      const [heap] = ended.stats['heaps'] as { chunks: number; cached_chunks: number; avg_chunks: number }[];
      expect(heap!.chunks).toBe(1);
      expect(heap!.cached_chunks).toBeLessThanOrEqual(heap!.avg_chunks);
      expect(number(ended, 'heaps_rss') + number(ended, 'unseen_rss')).toBe(ended.rssBytes);
    }
    const last = at(result, 'request 10 ended');
    expect(number(last, 'unseen_rss')).toBeGreaterThan(10e6);
    expect(number(last, 'memory_get_usage_real')).toBeLessThanOrEqual(8388608);
  });
});
