import { describe, expect, it } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { runInMode } from '../../../bench/run/run-in-mode.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { loadForMoment } from '../../../bench/study/explain/moment/moment-in-run.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const MIB = 2 ** 20;
const ALL = `0 ${8 * MIB}`;
const ONE = `${4 * MIB} 100`;

/** Four blocks of 8 MiB, on huge pages or not; what is written to them, and what the kernel said at the exit. */
function optionsOf(
  allocator: string,
  headers: readonly string[],
  written: string,
  kernel: Record<string, number> = {},
) {
  const rss = { VmRSS: 35 * MIB, VmHWM: 35 * MIB, blocks: 34 * MIB, files: MIB, ...kernel };
  const events = eventsOf([
    '%source recorded with LD_PRELOAD, linux x64',
    ...headers,
    ...[1, 2, 3, 4].flatMap((block) => [`m 0 ${block} ${8 * MIB} ~`, `w 0 ${block} ${written}`]),
    '= exit',
    `! ${Object.entries(rss).flat().join(' ')}`,
    'exit 0',
  ]);
  return { events, workload: 'test', spec: parseAllocator(allocator, 1), cpus: 1 };
}

async function explained(...of: Parameters<typeof optionsOf>) {
  const options = optionsOf(...of);
  await loadForMoment(options);
  return explain(options).verdict;
}

const HUGE = ['%env GLIBC_TUNABLES glibc.malloc.hugetlb=1', '%machine thp madvise'];
const MADVISE = { thp: 'madvise' } as const;

async function withHugePages(headers: readonly string[], written: string, kernel?: Record<string, number>) {
  const options = { ...optionsOf('glibc:hugetlb=1', [...HUGE, ...headers], written, kernel), kernel: MADVISE };
  await loadForMoment(options);
  return explain(options).verdict;
}

describe('Without huge pages', () => {
  it('it is not known what would be resident where nobody saw what is written', async () => {
    const { answer, sentences } = await withHugePages([`%machine assumed-writes ${32 * MIB}`], ALL);
    expect(answer.join(' ')).toMatch(
      /^As far as is known nothing to gain .* \(hugetlb=0\) is not known: 32\.0 MiB .* Record once without huge pages\.$/,
    );
    expect(sentences.join(' ')).not.toContain('hardly less');
  });

  it('it is known where it was seen; zeros may have been written', async () => {
    const kernel = { VmRSS: 9 * MIB, VmHWM: 9 * MIB, blocks: 8 * MIB };
    const headers = [`%machine zeros-unwritten ${20 * MIB}`];
    const { answer } = await withHugePages(headers, ONE, kernel);
    expect(answer.join(' ')).toMatch(/With hugetlb=0 .* 20\.0 MiB of large blocks, .* held zeros on huge pages/);
    expect((await withHugePages([], ONE, kernel)).answer.join(' ')).not.toContain('zeros');
  });

  it('what the program asks for itself is told', async () => {
    const headers = ['%machine thp madvise', `%machine own-huge-zeros ${20 * MIB}`];
    headers.push(`%machine own-huge-pages ${32 * MIB}`);
    const { answer, sentences } = await explained('glibc', headers, ALL);
    expect(sentences.join(' ')).toMatch(/asks for huge pages itself \(madvise, MADV_HUGEPAGE, for 32\.0 MiB/);
    expect(answer.join(' ')).toMatch(/20\.0 MiB of large blocks, .* \(madvise, MADV_HUGEPAGE\)/);
  });
});

describe('The recorded process', () => {
  it('is not compared with a run under another allocator', async () => {
    const far = await explained('glibc', [], '0 4096');
    expect(far.answer.join(' ')).toMatch(/^The recorded process had 34\.0 MiB more in its heap/);
    const { answer, sentences } = await explained('glibc', ['%machine allocator libjemalloc.so.2'], '0 4096');
    expect(answer.join(' ')).not.toContain('in its heap');
    expect(sentences.join(' ')).toContain(
      'The process was recorded under jemalloc@5.3.0, huge pages never: what it held',
    );
  });

  it('may have had another peak: run and explain say so', async () => {
    const peak = { VmHWM: 61 * MIB };
    const told = /The peak is not .* had 60\.0 MiB at most .*, 28\.0 MiB more than the 32\.0 MiB .* --sample-every/;
    expect((await explained('glibc', [], ALL, peak)).sentences.join(' ')).toMatch(told);
    expect((await explained('glibc', [], ALL)).sentences.join(' ')).not.toContain('The peak');
    const { recordedProcess } = await runInMode(optionsOf('glibc', [], ALL, peak));
    expect(recordedProcess?.peakBytes).toBe(60 * MIB);
    const other = await runInMode(optionsOf('glibc:mmap_threshold=1', [], ALL, peak));
    expect(other.recordedProcess?.peakBytes).toBeNull();
  });
});
