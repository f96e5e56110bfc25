import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { LockstepRun } from '../../../bench/run/modes/lockstep.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Explanation } from '../../../bench/study/explain/explanation.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { bytes } from '../../../sim/contract/format.ts';
import { eventsOf, eventsWithSites } from '../../helpers/bump-run.ts';

function of(lines: readonly string[], allocator: string, more: { at?: string; thp?: 'always' } = {}): Explanation {
  const { thp, ...rest } = more;
  const spec = parseAllocator(allocator, 4);
  return explain({
    events: eventsOf(lines),
    workload: 'test',
    spec,
    cpus: 4,
    ...rest,
    ...(thp && { kernel: { thp } }),
  });
}

const names = (e: Explanation) => e.verdict.mechanisms.map((m) => m.name);
const repeat = (n: number, lines: (i: number) => readonly string[]) =>
  Array.from({ length: n }, (_, i) => lines(i)).flat();

describe('mechanisms', () => {
  test('fastbins that keep a heap: mxfast=0', () => {
    const e = of([...repeat(20000, (i) => [`m 0 ${i} 100`]), ...repeat(20000, (i) => [`f 0 ${i}`])], 'glibc@2.36');
    expect(names(e)[0]).toBe('unmerged chunks');
    expect(e.verdict.advice).toMatchObject({
      setting: 'mxfast=0',
      paste: { shell: 'GLIBC_TUNABLES=glibc.malloc.mxfast=0' },
    });
    expect(e.verdict.advice!.rssBytes).toBeLessThan(e.sample.rssBytes / 10);
  });

  test('fastbins beside live blocks that keep the pages are no reason, where the runs refute it', () => {
    const e = of(
      [...repeat(20000, (i) => [`m 0 ${i} 100`]), ...repeat(20000, (i) => (i % 16 === 0 ? [] : [`f 0 ${i}`]))],
      'glibc@2.36',
    );
    expect(e.verdict.kind).toBe('fragmentation by pinning');
    const [lies, why] = e.verdict.mechanisms.find((m) => m.name === 'unmerged chunks')!.sentences;
    expect(lies).toMatch(/^2\.00 MiB of what is free lie in 18,7\d\d chunks of fastbins and thread caches\.$/);
    expect(why).toMatch(/^That alone does not keep it: hardly less would be resident with mxfast=0; /);
  });

  test('chunks of thread caches between holes: how many keep how much apart', () => {
    // A large block, a small one, and so on; seven small ones stay in the cache, between large ones that are free.
    const lines = [
      ...repeat(8, (i) => [
        `m 0 ${3 * i} 30000`,
        `m 0 ${3 * i + 1} 200`,
        `m 0 ${3 * i + 2} 30000`,
        `m 0 ${100 + i} 40`,
      ]),
      ...repeat(7, (i) => [`f 0 ${3 * i + 1}`]),
      ...repeat(7, (i) => [`f 0 ${3 * i}`, `f 0 ${3 * i + 2}`]),
    ];
    const spec = parseAllocator('glibc@2.36', 1);
    const e = explain({ events: eventsOf(lines), workload: 'test', spec, cpus: 1, whatIf: false });
    // The run without thread caches leaves as much here, and then it is not promised.
    expect(of(lines, 'glibc@2.36').verdict.sentences.join(' ')).not.toContain('lie beside free ones');
    const text = e.verdict.mechanisms.find((m) => m.name === 'unmerged chunks')!.sentences.join('\n');
    const freeBytes = 14 * 30000; // each with its header, in pairs, of which the last lies below a live block
    expect(text).toContain('7 of the 7 chunks in thread caches lie beside free ones');
    const said = /so ([\d.]+) KiB of free chunks stay in 14 pieces, which would be 7 without them/.exec(text)!;
    expect(Number(said[1]) * 1024).toBeGreaterThan(freeBytes * 0.99);
    expect(Number(said[1]) * 1024).toBeLessThan(freeBytes * 1.01);
    // With nothing free beside them nothing is kept apart.
    const alone = of(
      [...repeat(3000, (i) => [`m 0 ${i} 200`, `m 0 ${5000 + i} 40`]), ...repeat(3000, (i) => [`f 0 ${i}`])],
      'glibc@2.36',
    );
    expect(alone.verdict.sentences.join('\n')).not.toContain('lie beside free ones');
  });

  test('aligned blocks in pieces between notes that live, whatever the version: no splinters', () => {
    const e = of(
      [...repeat(300, (i) => [`a 0 ${2 * i} 64 9000`, `m 0 ${2 * i + 1} 40`]), ...repeat(300, (i) => [`f 0 ${2 * i}`])],
      'glibc@2.36',
    );
    const newer = e.whatIf.find((w) => w.setting === 'glibc 2.41')!;
    expect(newer.rssBytes).toBeGreaterThan(0.95 * e.sample.rssBytes);
    expect(names(e)).not.toContain('memalign splinters');
    expect(e.verdict.sentences.join(' ')).not.toContain('14581');
  });

  test('memalign’s splinters: the mmap threshold, and the version that mends it', () => {
    const e = of(
      repeat(20, (i) => [`a 0 ${2 * i} 64 9000000`, ...(i > 0 ? [`f 0 ${2 * i - 2}`] : []), `m 0 ${2 * i + 1} 40`]),
      'glibc@2.36',
    );
    expect(names(e)[0]).toBe('memalign splinters');
    expect(e.verdict.advice!.setting).toBe('mmap_threshold=131072');
    expect(e.verdict.sentences.join('\n')).toMatch(/A newer version: with glibc 2\.41/);
    expect(names(of(['a 0 1 64 9000000', 'f 0 1'], 'glibc@2.41'))).not.toContain('memalign splinters');
  });

  test('holes of blocks below the usual threshold: a lower one, or a trim where none helps', () => {
    const pictures = [
      ...repeat(60, (i) => [`m 0 ${2 * i} ${100_000 + (i % 7) * 4000}`, `m 0 ${2 * i + 1} 2000`]),
      ...repeat(60, (i) => [`f 0 ${2 * i}`]),
    ];
    const e = of(pictures, 'glibc@2.36');
    expect(names(e)[0]).toBe('holes of large blocks');
    expect(e.verdict.advice!.setting).toBe('mmap_threshold=65536');
    expect(e.verdict.advice!.rssBytes).toBeLessThan(e.sample.rssBytes / 5);
    // Of payloads of 9 to 14 KB the threshold is as low as they are; of smaller ones a page of their own would be as much again.
    const payloads = (size: number) => [
      ...repeat(300, (i) => [`m 0 ${2 * i} ${size + (i % 6) * 1000}`, `m 0 ${2 * i + 1} 2000`]),
      ...repeat(300, (i) => [`f 0 ${2 * i}`]),
    ];
    const settings = (size: number) => of(payloads(size), 'glibc@2.36').whatIf.map(({ setting }) => setting);
    expect(settings(9000)).toContain('mmap_threshold=8192');
    expect(settings(9000)).not.toContain('mmap_threshold=16384');
    expect(settings(2500).filter((name) => /^mmap_threshold=(?!131072)/.test(name))).toEqual([]);
    // Small blocks beside the large ones make their holes wider than those were, and larger ones that were mapped say nothing of them.
    const bodies = [
      ...repeat(40, (i) => [`m 0 ${1000 + i} 2000000`, `f 0 ${1000 + i}`]),
      ...repeat(39, (i) => [`m 0 ${2 * i} 100000`, `m 0 ${2 * i + 1} 3000`]),
      'm 0 100 1000',
      ...repeat(39, (i) => [`f 0 ${2 * i}`, `f 0 ${2 * i + 1}`]),
    ];
    expect(of(bodies, 'glibc@2.36:mmap_threshold=131072,trim_threshold=131072').verdict.advice).toMatchObject({
      setting: 'mmap_threshold=65536',
    });
    // Where the usual one makes large blocks go back and forth a lower one does no less of it: it is not run.
    const churn = repeat(400, (i) => [`m 0 ${5000 + i} 1000000`, `f 0 ${5000 + i}`]);
    const tried = of(
      [...pictures.slice(0, 120), 'm 0 4999 4000000', 'f 0 4999', ...churn, ...pictures.slice(120)],
      'glibc@2.36',
    );
    expect(names(tried)).toContain('holes of large blocks');
    expect(tried.whatIf.map(({ setting }) => setting)).toContain('mmap_threshold=131072');
    expect(tried.whatIf.map(({ setting }) => setting)).not.toContain('mmap_threshold=65536');
    const records = [...repeat(400, (i) => [`m 0 ${i} 3000`]), 'm 0 400 5000', ...repeat(400, (i) => [`f 0 ${i}`])];
    const pinned = of(records, 'glibc@2.36');
    expect(pinned.verdict.advice).toBeNull();
    expect(pinned.verdict.remedies.map((r) => r.text)).toEqual(['malloc_trim(0); /* <malloc.h> */']);
  });

  test('holes below live blocks and the free end have a figure each, by what lies above them; they add up to what is returnable', () => {
    const lines = [
      'opt 0 M_TRIM_THRESHOLD 67108864',
      'opt 0 M_MMAP_THRESHOLD 33554432',
      ...repeat(10, (i) => [`m 0 ${2 * i} 1000000`, `m 0 ${2 * i + 1} 3000`]),
      'm 0 50 3000000',
      'f 0 50',
      ...repeat(10, (i) => [`f 0 ${2 * i}`]),
    ];
    const e = of(lines, 'glibc@2.36');
    const heap = e.areas.find(({ name }) => name === 'main heap')!;
    const { atEnd, belowFreed, belowOwn, belowLive } = heap.wholeFree!;
    expect(atEnd + belowFreed + belowOwn + belowLive).toBe(heap.breakdown.returnable);
    expect([Math.round(atEnd / 1e6), belowFreed, belowOwn, Math.round(belowLive / 1e6)]).toEqual([3, 0, 0, 10]);
    expect(names(e).slice(0, 2)).toEqual(['holes of large blocks', 'thresholds']);
    const [holes, end] = e.verdict.mechanisms;
    expect(holes!.sentences[0]).toMatch(/^9\.\d+ MiB are free on whole pages below the 10 live blocks of a heap/);
    expect(end!.sentences[0]).toMatch(/^2\.\d+ MiB are free at the end of a heap: .* trim threshold, 64\.0 MiB now/);
  });

  test('a threshold is held against the whole of a free end, of which little may be resident', () => {
    const lines = [
      'opt 0 M_TOP_PAD 8000000',
      'opt 0 M_TRIM_THRESHOLD 1000000',
      'm 0 1 300000',
      'm 0 2 900000',
      'f 0 2',
      'opt 0 M_TRIM_THRESHOLD 950000',
    ];
    const e = of(lines, 'glibc@2.36');
    const heap = e.areas.find(({ name }) => name === 'main heap')!;
    expect(heap.endFreeBytes).toBeGreaterThan(7_000_000);
    expect(heap.wholeFree!.atEnd).toBeLessThan(950_000);
    expect(names(e)).toContain('thresholds');
    expect(e.verdict.sentences.join(' ')).not.toMatch(/stays as long as it is below the trim threshold/);
  });

  test('what freed chunks keep is not said to lie between live blocks, nor an arena to be for threads that are gone', () => {
    const lines = [
      'm 0 1 100',
      'tb 1',
      ...repeat(100, (i) => [`m 1 ${100 + 2 * i} 20000`, `m 1 ${101 + 2 * i} 100`]),
      ...repeat(100, (i) => [`f 1 ${100 + 2 * i}`]),
      'te 1',
      ...repeat(100, (i) => [`f 0 ${101 + 2 * i}`]),
    ];
    const e = of(lines, 'glibc@2.36');
    const arena = e.areas.find(({ name }) => name === 'arena 1, heap 1')!;
    expect(arena.liveBlocks).toBe(0);
    expect(arena.wholeFree).toMatchObject({ belowLive: 0, belowOwn: 0 });
    expect(arena.wholeFree!.belowFreed).toBeGreaterThan(arena.residentBytes / 2);
    expect(names(e)).toContain('unmerged chunks');
    const said = e.verdict.sentences.join('\n');
    expect(said).toMatch(
      /1 arena keeps .* of free memory, and no thread uses it any more: one that begins takes it over/,
    );
    expect(said).toMatch(
      / with no live block above them in their heap: freed chunks keep it .*caches \(\d+\) and in fastbins \(\d+\)/,
    );
    expect(said).not.toMatch(/between live blocks|below the|own threads/);
  });

  test('huge pages that jemalloc asks for', () => {
    const lines = repeat(10, (i) => [`m 0 ${i} 3145728`, `w 0 ${i} 0 1`]);
    const e = explain({
      events: eventsOf(lines),
      workload: 'test',
      spec: parseAllocator('jemalloc:thp=always', 4),
      cpus: 4,
      touch: 'none',
      kernel: { thp: 'madvise' },
    });
    expect(names(e)[0]).toBe('huge pages');
    expect(e.verdict.advice).toMatchObject({ setting: 'thp=never', paste: { shell: 'MALLOC_CONF=thp:never' } });
  });

  test('memory that goes back and forth: fixed thresholds stop it', () => {
    const lines = repeat(200, (i) => [
      `m 0 ${3 * i} 1048640`,
      `m 0 ${3 * i + 1} 1048776`,
      `m 0 ${3 * i + 2} 300`,
      `f 0 ${3 * i}`,
      `f 0 ${3 * i + 2}`,
      `f 0 ${3 * i + 1}`,
    ]);
    const e = of(lines, 'glibc@2.36', { at: '#1190' });
    expect(names(e)).toContain('back and forth');
    expect(e.verdict.advice!.setting).toMatch(/^mmap_threshold=\d+,trim_threshold=\d+$/);
    expect(e.verdict.advice!.faults).toBeLessThan(e.sample.faults / 50);
  });

  test('of a program that trims its heap again and again it is run without that, and said where that makes the faults', () => {
    const round = [
      ...repeat(100, (i) => [`m 0 ${i} 60000`]),
      'm 0 999 2000',
      ...repeat(100, (i) => [`f 0 ${i}`]),
      'trim 0 0',
      'f 0 999',
    ];
    const told = (threshold: number) =>
      of([`opt 0 M_TRIM_THRESHOLD ${threshold}`, ...repeat(5, () => round)], 'glibc@2.36').verdict.sentences.join(' ');
    expect(told(100_000_000)).toMatch(
      /without its 5 calls of malloc_trim there are 1,\d{3} page faults, and 5\.\d\d MiB/,
    );
    expect(told(131_072)).toContain('Memory goes back and forth'); // each free of the last block cuts the heap off
    expect(told(131_072)).not.toContain('malloc_trim there are');
  });

  test('two faults for each page of the peak are back and forth: a setting may halve them', () => {
    const blocks = Array.from({ length: 80 }, (_, i) => i);
    const round = [...blocks.map((i) => `m 0 ${i} 50000`), ...blocks.map((i) => `f 0 ${i}`).reverse()];
    const e = (rounds: number) => {
      const lines = repeat(rounds, () => round);
      return of(lines, 'glibc@2.36', { at: `#${lines.length - blocks.length - 1}` });
    };
    expect(names(e(3))).toContain('back and forth');
    expect(e(3).verdict.advice!.faults).toBeLessThan(e(3).sample.faults / 2);
    expect(names(e(1))).not.toContain('back and forth');
  });

  test('where only the end of the heap goes back and forth, what is mapped may stay so: the trim threshold alone', () => {
    const blocks = Array.from({ length: 80 }, (_, i) => i);
    const lines = [
      ...repeat(100, () => [...blocks.map((i) => `m 0 ${i} 50000`), ...blocks.map((i) => `f 0 ${i}`).reverse()]),
      ...repeat(16, (i) => [`m 0 ${100 + i} 1048640`]),
      ...repeat(16, (i) => [`f 0 ${100 + i}`]),
      'm 0 200 100',
    ];
    const e = of(lines, 'glibc@2.36');
    expect(names(e)).toContain('back and forth');
    expect(e.verdict.advice!.setting).toMatch(/^trim_threshold=\d+$/);
    const both = e.whatIf.find(({ setting }) => /^mmap_threshold=\d+,trim_threshold=\d+$/.test(setting))!;
    expect(e.verdict.advice!.faults).toBeLessThan(e.sample.faults / 20);
    expect(e.verdict.advice!.rssBytes).toBeLessThan(both.rssBytes / 2);
  });

  test('many arenas: one', () => {
    const threads = repeat(16, (t) => [
      ...repeat(600, (i) => [`m ${t} ${t * 1000 + i} 2000`]),
      ...repeat(599, (i) => [`f ${t} ${t * 1000 + i}`]),
    ]);
    const e = of(threads, 'glibc@2.36');
    expect(names(e)).toContain('arenas');
    expect(e.verdict.advice!.setting).toMatch(/arena_max=1/);
  });

  test('huge pages: none of them', () => {
    const e = of(
      repeat(8, (t) => [`m ${t} ${t} 100`]),
      'jemalloc:narenas=16',
      { thp: 'always' },
    );
    expect(names(e)[0]).toBe('huge pages');
    expect(e.verdict.advice!.setting).toMatch(/^thp=never/);
  });

  test('an idle process under jemalloc: a background thread', () => {
    const lines = [...repeat(3000, (i) => [`m 0 ${i} 9000`]), ...repeat(3000, (i) => [`f 0 ${i}`]), '+ 60000000000'];
    const e = of(lines, 'jemalloc');
    expect(names(e)).toContain('idle pages');
    expect(e.verdict.advice!.setting).toBe('background_thread=true');
    expect(e.verdict.advice!.paste!.shell).toBe('MALLOC_CONF=background_thread:true');
  });

  test('a recorded program that waited for a processor: decay goes by the clock, and that is said', () => {
    const told = (waitedNs: number) =>
      of(
        [
          `%machine processor-waits ${waitedNs}`,
          ...repeat(3000, (i) => [`m 0 ${i} 9000`]),
          ...repeat(3000, (i) => [`f 0 ${i}`]),
          '+ 2000000000',
          'm 0 1 8',
        ],
        'jemalloc',
      ).verdict.sentences.join('\n');
    expect(told(1_500_000_000)).toContain('Of the 2.00 s that were recorded the program waited 1.50 s for a processor');
    expect(told(50_000_000)).not.toContain('for a processor');
    // A quarter of the time is left, or an eighth: as in the traces whose clocks say so.
    const residentAfter = (ns: number) =>
      of(
        [...repeat(3000, (i) => [`m 0 ${i} 9000`]), ...repeat(3000, (i) => [`f 0 ${i}`]), `+ ${ns}`, 'm 0 1 8'],
        'jemalloc',
      ).sample.rssBytes;
    const resident = [2_000_000_000, 500_000_000, 250_000_000].map(residentAfter);
    const [least, most] = [bytes(Math.min(...resident)), bytes(Math.max(...resident))];
    expect(told(1_500_000_000)).toContain(
      `at half of that pace ${least === most ? most : `${least} to ${most}`} would be resident here`,
    );
  });

  test('of several threads nobody knows how far they waited: other paces of the clock, where they make a difference', () => {
    const told = (ns: number, source = '%source recorded with LD_PRELOAD, linux x64') =>
      of(
        [
          source,
          'm 0 5000 8',
          'tb 1',
          ...repeat(3000, (i) => [`m 1 ${i} 9000`]),
          ...repeat(3000, (i) => [`f 1 ${i}`]),
          // No pause of 100 ms, which a program makes at any pace.
          ...repeat(100, () => [`+ ${ns / 100}`, ...repeat(60, (i) => [`m 1 ${i} 100`, `f 1 ${i}`])]),
          'm 1 1 200000',
        ],
        'jemalloc:tcache=false',
      ).verdict.sentences.join('\n');
    const SAID = 'A recorded program of several threads takes longer than it does alone';
    expect(told(6_000_000_000)).toContain(SAID);
    expect(told(1_000_000)).not.toContain(SAID);
    expect(told(6_000_000_000, '# made up')).not.toContain(SAID);
  });

  test('free regions of slabs that live on: a purge leaves them, and no setting is made up', () => {
    const lines = [
      ...repeat(40000, (i) => [`m 0 ${i} 64`]),
      ...repeat(40000, (i) => (i % 64 === 0 ? [] : [`f 0 ${i}`])),
    ];
    const e = of(lines, 'jemalloc');
    expect(names(e)).toContain('slabs');
    expect(e.returns[0].returnsBytes).toBeLessThan(e.sample.rssBytes / 2);
  });

  test('between requests nothing pins the first chunk of a Zend heap: a rule keeps it', () => {
    const lines = ['eb 0', ...repeat(15, (i) => [`em 0 ${i} 100000`]), 'ee 0'];
    const { verdict, areas } = of(lines, 'zendmm@8.2', { at: 'end' });
    expect(areas.every((a) => a.liveBlocks === 0)).toBe(true);
    expect(verdict.kind).toBe('retention by policy');
    expect(verdict.shares['fragmentation by pinning']).toBe(0);
    expect(verdict.shares['retention by policy']).toBeGreaterThan(1_400_000);
  });

  test('Zend’s cached chunks: how many small requests halve them', () => {
    const request = (n: number) => ['eb 0', ...repeat(n, (i) => [`em 0 ${i} 200000`]), 'ee 0'];
    const lines = [...request(10), ...request(300), '= after', ...request(1)];
    const e = of(lines, 'zendmm@8.2', { at: 'after' });
    expect(names(e)[0]).toBe('Zend cached chunks');
    // How many requests a recording happens to hold is no number for a pool: a worker is started anew after each so many.
    expect(e.verdict.remedies.filter((r) => r.text.includes('max_requests'))).toEqual([]);
    expect(e.verdict.sentences.join('\n')).toContain('pm.max_requests');
    const cached = /keeps (\d+) chunks.*leave (\d+),/.exec(e.verdict.sentences.join('\n'))!;
    // What it says is what the next request leaves.
    const run = new LockstepRun({
      events: eventsOf(lines),
      workload: 'test',
      spec: parseAllocator('zendmm@8.2', 4),
      cpus: 4,
    });
    run.advance(lines.length);
    let left = 0;
    run.assembled.top.areas!((_start, _length, name) => {
      if (name.includes('cached chunk')) left++;
    });
    expect(left).toBe(Number(cached[2]));
  });

  test('Zend’s blocks of more than half a chunk are no leak', () => {
    const e = of(['eb 0', ...repeat(12, (i) => [`em 0 ${i} 1048608`]), 'ee 0'], 'zendmm@8.2');
    expect(e.moment.kind).toBe('exit');
    expect(names(e)[0]).toBe('Zend runs');
    expect(e.verdict.kind).toBe('in use');
    expect(e.verdict.sentences.join('\n')).toContain('one block of 257 pages each: the other 254 pages');
  });

  test('PHP’s memory limit: the least one that lets everything through, as a line of php.ini', () => {
    const lines = ['eb 0', ...repeat(12, (i) => [`em 0 ${i} 1048608`]), '= now', 'ee 0'];
    const e = of(lines, 'zendmm@8.2:memory_limit=8M', { at: 'now' });
    expect(names(e)).toContain('memory limit');
    const limit = /^memory_limit = (\d+)M$/.exec(e.verdict.remedies[0]!.text)![1]!;
    expect(explanationText(e)).toContain(`    memory_limit = ${limit}M`);
    const failures = (megabytes: number) => {
      const spec = parseAllocator(`zendmm@8.2:memory_limit=${megabytes}M`, 4);
      const session = new LockstepRun({ events: eventsOf(lines), workload: 'test', spec, cpus: 4 });
      session.advance(lines.length);
      return session.failedRows.length;
    };
    expect(failures(Number(limit))).toBe(0);
    expect(failures(Number(limit) - 1)).toBeGreaterThan(0);
    expect(names(of(lines, 'zendmm@8.2:memory_limit=80M', { at: 'now' }))).not.toContain('memory limit');
  });

  test('runs that are free as a whole within a request: gc_mem_caches() gives them back, as said', () => {
    const held = [
      'eb 0',
      'em 0 50000 24',
      ...repeat(40000, (i) => [`em 0 ${i} 100`]),
      ...repeat(40000, (i) => [`ef 0 ${i}`]),
      '= now',
    ];
    const e = of([...held, 'ee 0'], 'zendmm@8.2', { at: 'now' });
    expect(names(e)).toContain('Zend free runs');
    expect(e.verdict.remedies.map((r) => r.text)).toContain('gc_mem_caches();');
    const { bytes: said } = e.verdict.mechanisms.find((m) => m.name === 'Zend free runs')!;
    const spec = parseAllocator('zendmm@8.2', 4);
    const session = new LockstepRun({ events: eventsOf(held), workload: 'test', spec, cpus: 4 });
    session.advance(held.length);
    const { request, machine } = session.assembled;
    const before = machine.kernel.residency.residentPages();
    const answer = request!.gcMemCaches!(0);
    const returned = (before - machine.kernel.residency.residentPages()) * 4096;
    expect(Math.max(answer, returned)).toBe(said);
    expect(e.verdict.answer[0]).toMatch(
      new RegExp(`gc_mem_caches.. would return .* ${returned.toLocaleString('en-US')} bytes`),
    );
    const empty = of(['eb 0', 'em 0 1 100', 'ef 0 1', '= now', 'ee 0'], 'zendmm@8.2', { at: 'now' });
    expect(names(empty)).not.toContain('Zend free runs'); // the real one dies of it: its main chunk goes
  });

  test('free runs in chunks that other blocks keep: gc_mem_caches() makes them usable, and that is what is said', () => {
    // In every run of other sizes a block stays; of those of 96 bytes (4,032 bytes of a page) none does.
    const lines = [
      'eb 0',
      ...repeat(40000, (i) => [`em 0 ${i} 96`, ...(i % 42 === 0 ? [`em 0 ${100000 + i} 3000`] : [])]),
      ...repeat(40000, (i) => [`ef 0 ${i}`]),
      '= now',
      'ee 0',
    ];
    const e = of(lines, 'zendmm@8.2', { at: 'now' });
    const text = e.verdict.sentences.join('\n');
    const spec = parseAllocator('zendmm@8.2', 4);
    const session = new LockstepRun({ events: eventsOf(lines), workload: 'test', spec, cpus: 4 });
    session.advance(lines.length - 2);
    const answer = session.assembled.request!.gcMemCaches!(0);
    expect(names(e)[0]).toBe('Zend free runs');
    expect(text).toContain(`usable for blocks of any size, ${answer.toLocaleString('en-US')} bytes (run)`);
    expect(e.verdict.remedies.map((r) => r.text)).not.toContain('gc_mem_caches();');
    expect(e.sample.breakdown.cached).toBe(0);
    expect(`${e.verdict.headline}\n${text}`).not.toContain('cached');
    expect(text).toContain('that ends of runs that are too short for a block keep');
  });

  test('C libraries’ memory beside PHP’s own', () => {
    const e = of(['eb 0', 'em 0 1 100', 'm 0 2 5000000', '= now', 'ee 0'], 'zendmm@8.2', { at: 'now' });
    expect(names(e)).toContain('library memory');
  });

  test('nothing to gain: a program that uses what it has', () => {
    const e = of(
      repeat(100, (i) => [`m 0 ${i} 100000`]),
      'glibc@2.36',
    );
    expect(e.verdict.advice).toBeNull();
    expect(e.verdict.sentences.join('\n')).toContain('Nothing to gain by a setting');
  });

  test('debugging options are never tried', () => {
    const e = of(
      repeat(200, (i) => [`m 0 ${i} 500`, ...(i % 2 ? [`f 0 ${i}`] : [])]),
      'glibc@2.36',
    );
    expect(e.whatIf.map((w) => w.setting).join(' ')).not.toMatch(/perturb|check/);
  });
});

describe('by call site', () => {
  test('who holds, whose free memory it was; every held byte is somebody’s', () => {
    const events = eventsWithSites();
    const e = explain({
      events,
      workload: 'test',
      spec: parseAllocator('glibc:mmap_threshold=33554432', 1),
      cpus: 1,
      whatIf: false,
    });
    const by = new Map(e.sites!.map((s) => [s.stack.join('<'), s]));
    const { requested, slack } = e.sample.breakdown;
    expect(e.sites!.reduce((sum, s) => sum + s.held, 0)).toBe(requested + slack);
    expect(by.get('main<small')!.held).toBeGreaterThan(39000);
    expect(by.get('main<big')!.freed).toBeGreaterThan(390000);
    expect(
      explain({
        events: { ...events, sites: undefined },
        workload: 'test',
        spec: parseAllocator('glibc', 1),
        cpus: 1,
        whatIf: false,
      }).sites,
    ).toBeNull();
  });
});
