import { describe, expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import type { Inspectable } from '../../allocators/zend/layer.ts';
import { assemble } from '../../bench/run/machine.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { refusals, runZend } from '../helpers/zend-run.ts';

const run = (allocator: string, lines: readonly string[]) => runZend(allocator, eventsOf(lines));
const inspect = (result: ReturnType<typeof run>, view: string) =>
  (result.run.assembled.top as unknown as Inspectable).inspect(view);

describe('memory_limit', () => {
  // A string of 3 MiB, then one of 10 MiB; the sizes are the string values' with header and final zero.
  const lines = ['eb 0', 'em 0 1 3145760', 'em 0 2 10485792', 'em 0 3 100', 'ee 0'];

  it.each([
    ['zendmm@8.2', 10489856],
    ['zendmm@7.1', 10485792],
    ['zendmm@5.6', 10485792],
  ])('refuses a block that passes it, in the words of %s', (allocator, tried) => {
    const result = run(`${allocator}:memory_limit=8M`, lines);
    expect(result.run.failedRows).toEqual([2]);
    expect(refusals(result)).toEqual([
      `Allowed memory size of 8388608 bytes exhausted (tried to allocate ${tried} bytes)`,
    ]);
  });

  it('counts chunks too: 8.2 names the chunk, 7.1 the pages that were wanted', () => {
    const blocks = ['eb 0', ...Array.from({ length: 5 }, (_, i) => `em 0 ${i + 1} 2000000`)];
    expect(refusals(run('zendmm@8.2:memory_limit=8M', blocks))).toEqual([
      'Allowed memory size of 8388608 bytes exhausted (tried to allocate 2097152 bytes)',
    ]);
    expect(refusals(run('zendmm@7.1:memory_limit=8M', blocks))).toEqual([
      'Allowed memory size of 8388608 bytes exhausted (tried to allocate 2002944 bytes)',
    ]);
  });

  it('first collects what is free in the runs', () => {
    // 1600 elements fill runs in three chunks; freed, the runs are still taken, and only zend_mm_gc gives them back.
    const many = Array.from({ length: 1600 }, (_, i) => `em 0 ${i + 1} 3000`);
    const freed = many.map((_, i) => `ef 0 ${i + 1}`);
    const lines = ['eb 0', 'em 0 9000 16', ...many, ...freed, '= freed', 'em 0 9001 4000000'];
    const result = run('zendmm@8.2:memory_limit=8M', lines);
    expect(result.samples[0]!.stats['memory_get_usage_real']).toBe(3 * 2097152);
    expect((result.stats['heaps'] as { gc_runs: number }[])[0]!.gc_runs).toBe(1);
    expect(refusals(result)).toEqual([]);
  });
});

describe('switches', () => {
  it('USE_ZEND_ALLOC=0 sends everything to the allocator below', () => {
    const lines = ['eb 0', 'em 0 1 100', 'em 0 2 3000000', 'er 0 1 5000', '= x', 'ee 0'];
    const off = run('zendmm@8.2:USE_ZEND_ALLOC=0', lines);
    const libc = run('glibc', lines);
    expect(off.placements).toEqual(libc.placements);
    expect(off.syscalls).toEqual(libc.syscalls);
    expect(off.samples[0]!.stats['memory_get_usage']).toBe(0);
  });

  it('refuses options of the other design, and segment sizes that PHP refuses', () => {
    const create = (text: string) => run(text, ['eb 0']);
    expect(() => create('zendmm@8.2:seg_size=4096')).toThrow("zendmm@8.2 has no option 'seg_size'");
    expect(() => create('zendmm@5.6:USE_ZEND_ALLOC_HUGE_PAGES=1')).toThrow('has no option');
    expect(() => create('zendmm@5.6:seg_size=3000')).toThrow('ZEND_MM_SEG_SIZE must be a power of two');
    expect(() => create('zendmm@5.6:seg_size=16')).toThrow('ZEND_MM_SEG_SIZE is too small');
  });

  it('all=true gives each thread a heap, and a free by another thread is the end of the program', () => {
    const lines = ['m 0 1 100', 'm 1 2 100', 'm 2 3 5000', 'a 1 4 64 100', 'f 1 4', 'f 1 2', '= x', 'f 1 1'];
    const result = run('zendmm@8.2:all=true', lines);
    expect(result.samples[0]!.stats['heaps']).toHaveLength(3);
    expect(result.run.abort?.event).toBe(7);
    expect(result.run.abort?.message).toMatch(/^zend_mm_heap corrupted/);
    expect(run('zendmm@5.6:all=true', lines).run.abort?.event).toBe(7);
  });

  it('all=true ends a thread’s heap with the thread', () => {
    const result = run('zendmm@8.2:all=true', [
      'm 0 1 10',
      'm 1 2 100',
      'm 1 3 3000000',
      'f 1 3',
      'f 1 2',
      'te 1',
      '= x',
    ]);
    expect(result.samples[0]!.vszBytes - 2097152).toBeLessThan(1 << 20);
    expect(result.samples[0]!.stats['heaps']).toHaveLength(1);
  });
});

describe('a debug build', () => {
  const lines = ['eb 0', 'em 0 1 200', 'em 0 2 200', 'em 0 3 3000000', 'em 0 4 24', 'ef 0 4', 'ee 0'];

  it('reports what a request has not freed', () => {
    const report = run('zendmm@8.2:debug=1', lines).stats['leak_report'] as string;
    expect(report.split('\n').map((line) => line.replace(/0x[0-9a-f]{16}/, 'ADDRESS'))).toEqual([
      '(0) :  Freeing ADDRESS (3000000 bytes)',
      '(0) :  Freeing ADDRESS (200 bytes)',
      'Last leak repeated 1 time',
      '=== Total 3 memory leaks detected ===',
      '',
    ]);
    expect(run('zendmm@5.6:debug=1', lines).stats['leaks']).toBe(3);
  });

  it('makes blocks longer: by 32 bytes in PHP 8, by header and magic numbers in PHP 5', () => {
    const usage = (allocator: string) =>
      run(allocator, [...lines.slice(0, 2), '= x']).samples[0]!.stats['memory_get_usage'];
    expect(usage('zendmm@8.2:debug=1')).toBe(256); // 200 + 32 goes into the bin of 256
    expect(usage('zendmm@8.2')).toBe(224);
    expect(usage('zendmm@5.6:debug=1,reserve=0')).toBe(288); // 80 before, 4 behind, rounded
    expect(usage('zendmm@5.6:reserve=0')).toBe(216);
  });

  it('places and checks as it should under growth', () => {
    const growth = ['eb 0', 'em 0 1 1', ...Array.from({ length: 300 }, (_, i) => `er 0 1 ${(i + 1) * 9000}`), '= x'];
    for (const allocator of ['zendmm@8.2:debug=1', 'zendmm@7.1:debug=1', 'zendmm@5.6:debug=1']) {
      expect(run(allocator, growth).run.failedRows).toEqual([]);
    }
  });
});

describe('views', () => {
  const lines = ['eb 0', 'em 0 1 100', 'em 0 2 9000', 'em 0 3 3000000', 'em 0 4 700'];

  it('show the chunk map', () => {
    const text = inspect(run('zendmm@8.2', lines), 'chunks');
    // Header, a run of 112, three pages, a run of 24 for the huge block's node, five pages of 768s' run of three.
    expect(text).toContain('    0 #a===2lll');
    expect(text).toContain('a bin 10, 112 bytes: 1 run, 1 of 36 elements live');
    expect(text).toMatch(/huge block 0x7eff[0-9a-f]+: 3002368 bytes/);
  });

  it('show the segments', () => {
    const text = inspect(run('zendmm@5.6', lines), 'segments');
    expect(text).toContain('heap of thread slot 0: 2 segments');
    expect(text).toMatch(/reserve +8208\n/);
  });

  it('show what memory_get_usage prints, and what is resident beside', () => {
    expect(inspect(run('zendmm@8.2', [...lines, 'm 0 5 100']), 'memory_get_usage')).toBe(
      [
        'memory_get_usage()          3015560',
        'memory_get_usage(true)      5099520',
        'memory_get_peak_usage()     3015560',
        'memory_get_peak_usage(true) 5099520',
        '',
        'resident in PHP’s heaps     3039232',
        'resident beside them        4096',
        'resident in the process     3043328',
        '',
      ].join('\n'),
    );
  });
});

describe('snapshots', () => {
  it.each(['zendmm@8.2', 'zendmm@5.6'])('bring %s back to where it was', (allocator) => {
    const blocks = Array.from({ length: 400 }, (_, i) => `em 0 ${i + 1} ${(i * 977) % 20000}`);
    const events = eventsOf(['eb 0', ...blocks, ...blocks.map((_, i) => `er 0 ${i + 1} ${((i * 3571) % 30000) + 1}`)]);
    const assembled = assemble({
      spec: parseAllocator(allocator, 2),
      events,
      cpus: 2,
      touch: 'full',
      kernel: KERNEL_DEFAULTS,
      locks: uncontendedLocks,
    });
    const { machine, request } = assembled;
    request!.requestBegin(0);
    const handles = blocks.map((_, i) => request!.malloc(0, (i * 977) % 20000));
    const snapshot = machine.memory.snapshot();
    const second = () => {
      const moved = handles.map((h, i) => request!.realloc(0, h, ((i * 3571) % 30000) + 1));
      request!.check();
      return moved.map((h) => request!.addressOf(h));
    };
    const first = second();
    machine.memory.restore(snapshot);
    request!.check();
    expect(second()).toEqual(first);
  });
});

it('counts the same breakdown of resident bytes as pages say', () => {
  const run = new LockstepRun({
    events: eventsOf(['eb 0', 'em 0 1 100', 'em 0 2 50000', 'm 0 3 1000', 'ef 0 2', 'em 0 4 3000000', '= x']),
    workload: 'test',
    spec: parseAllocator('zendmm@5.6', 2),
    cpus: 2,
  });
  run.advance(100);
  const [sample] = run.samples;
  const sum = Object.values(sample!.breakdown).reduce((a, b) => a + b, 0);
  expect(sum).toBe(sample!.rssBytes);
});
