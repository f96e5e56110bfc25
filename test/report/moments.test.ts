import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { CLASSES, classBytes } from '../../bench/report/names.ts';
import type { MomentData } from '../../bench/report/page-data.ts';
import { requestedPeakRows } from '../../bench/report/requested-peaks.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { momentOf } from '../../bench/study/explain/moment/moment-in-run.ts';
import { recordRun } from '../../bench/study/record.ts';
import { bumpOptions, eventsOf } from '../helpers/bump-run.ts';

const optionsOf = (lines: readonly string[], allocator: string) => ({
  ...bumpOptions(lines),
  spec: parseAllocator(allocator, 2),
  cpus: 2,
});

/** Bytes of a class in all cells of a moment. */
const cellBytes = (moment: MomentData, k: number): number =>
  moment.places.reduce(
    (sum, { cells }) => sum + cells.length.reduce((n, length, run) => n + length * cells.bytes[k]![run]!, 0),
    0,
  );

/** Blocks of random sizes, some freed: m 0 id size, f 0 id. */
const traces = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 60 })
  .map((blocks) => {
    const lines: string[] = [];
    blocks.forEach(([size, isSmall, isFreed], i) => {
      lines.push(`m 0 ${i + 1} ${isSmall ? size % 500 : size}`);
      if (isFreed && i % 2 === 1) lines.push(`f 0 ${i}`);
    });
    return lines;
  });

describe('moments', () => {
  test.each(['glibc', 'jemalloc', 'zendmm@8.2:all=true+glibc'])(
    'under %s, the cells of all places add up to the breakdown of the run',
    async (allocator) => {
      await fc.assert(
        fc.asyncProperty(traces, async (lines) => {
          const { result, moments } = await recordRun(optionsOf(lines, allocator));
          const end = moments!.find((m) => m.label === 'at the end')!;
          CLASSES.forEach(({ key }, k) => {
            expect(cellBytes(end, k), key).toBe(classBytes(result.summary, key));
            expect(end.places.reduce((sum, p) => sum + p.classBytes[k]!, 0)).toBe(classBytes(result.summary, key));
          });
          expect(end.places.reduce((sum, p) => sum + p.residentBytes, 0)).toBe(result.summary.rssBytes);
          expect(end.places.reduce((sum, p) => sum + p.liveBlocks, 0)).toBe(result.summary.liveBlocks);
        }),
        { numRuns: 15, examples: [[['m 0 1 0', 'm 0 2 9']]] },
      );
    },
  );

  test('the free end of a heap begins above the freed chunks that merge with nothing', async () => {
    const small = Array.from({ length: 8 }, (_, i) => `m 0 ${10 + i} 1000`);
    const lines = ['m 0 1 5000', 'm 0 2 50000', ...small, ...small.map((_, i) => `f 0 ${10 + i}`), 'f 0 2'];
    const ends = async (allocator: string) => {
      const { moments } = await recordRun(optionsOf(lines, allocator));
      const { areas } = moments!.find((m) => m.label === 'at the end')!;
      const heap = areas.name.findIndex((name) => areas.names[name] === 'main heap');
      return { liveEnd: areas.liveEnd[heap]!, endStart: areas.endStart[heap]! };
    };
    const cached = await ends('glibc@2.36');
    expect(cached.endStart - cached.liveEnd).toBeGreaterThan(57_000);
    const merged = await ends('glibc@2.36:tcache_count=0');
    expect(merged.endStart - merged.liveEnd).toBeLessThan(32);
  });

  test('a block says by whom it was asked for, and what it alone keeps', async () => {
    const { moments } = await recordRun(bumpOptions(['m 0 1 4000', 'm 7 2 64', 'm 0 3 100000', 'f 0 1', 'f 0 3']));
    const end = moments!.find((m) => m.label === 'at the end')!;
    expect(end.blocks.requestedBytes).toEqual([64]);
    expect(end.blocks.event).toEqual([1]);
    expect(end.blocks.thread).toEqual([7]);
    expect(end.blocks.pinsBytes[0]).toBeGreaterThan(3000);
    expect(end.blocks.pinsBytes[0]).toBeLessThanOrEqual(2 * 4096);
  });

  test('a block says what is free beside it, and whether its heap ends with it', async () => {
    const lines = ['m 0 1 8000', 'm 0 2 8000', 'm 0 3 64', 'm 0 4 8000', 'm 0 5 300000', 'f 0 1', 'f 0 2', 'f 0 4'];
    const { moments } = await recordRun(optionsOf(lines, 'glibc'));
    const { blocks } = moments!.find((m) => m.label === 'at the end')!;
    expect(blocks.requestedBytes).toEqual([64, 300_000]);
    const areas = blocks.area.map((i) => blocks.areaNames[i]);
    expect(areas).toEqual(['main heap', 'mapped block']);
    // The last block of the heap, and the only one of a mapping; two freed blocks of 8 KiB lie below, one above.
    expect(blocks.rank).toEqual([2, 2]);
    expect(blocks.freeBelowBytes[0]).toBeGreaterThanOrEqual(16_000);
    expect(blocks.freeAboveBytes[0]).toBeGreaterThanOrEqual(8000);
    expect(blocks.freeBelowBytes[1]! + blocks.freeAboveBytes[1]!).toBe(0);
  });

  test('threads at their own pace: who allocated a block, and when, is noted as it happens', async () => {
    const lines = ['m 0 1 5000', 'tb 7', 'm 7 2 6000', 'f 7 1', 'r 7 2 90000', 'm 0 3 70'];
    const { moments, result, heat } = await recordRun({ ...optionsOf(lines, 'glibc'), mode: 'virtual' });
    const { blocks } = moments!.find((m) => m.label === 'at the end')!;
    const known = blocks.requestedBytes.map((size, i) => [size, blocks.event[i], blocks.thread[i]]);
    expect(known.sort()).toEqual([
      [70, 5, 0],
      [90_000, 4, 7],
    ]);
    for (const ns of blocks.ns) expect(ns).toBeLessThanOrEqual(result.summary.virtualNs!);
    expect(heat!.holders.requestedBytes).toContain(90_000);
  });

  test.each(['lockstep', 'virtual'] as const)('%s: each block has the event that asked for its size', async (mode) => {
    const lines = Array.from({ length: 300 }, (_, i) => {
      const size = ((i * 7919) % 50_000) + 1;
      if (i % 7 === 6) return `r 0 ${i - 2} ${size}`;
      if (i % 5 === 4) return `f 0 ${i - 1}`;
      return i % 3 === 0 ? `c 0 ${i} 1 ${size}` : `m 0 ${i} ${size}`;
    }).filter((line, i, all) => {
      // Only what lives is freed or resized.
      const id = line.split(' ')[2]!;
      const earlier = all.slice(0, i).filter((l) => l.split(' ')[2] === id);
      return /^[mc]/.test(line) || (earlier.length > 0 && !earlier.some((l) => l.startsWith('f')));
    });
    const { moments, heat } = await recordRun({ ...optionsOf(lines, 'glibc'), mode, sampleEvery: 20 });
    const sizeAt = (event: number) => Number(lines[event]!.split(' ').at(-1));
    const lists = [...moments!.map((m) => m.blocks), heat!.holders];
    for (const list of lists) {
      expect(list.requestedBytes.length).toBeGreaterThan(50);
      expect(list.event.map(sizeAt)).toEqual(list.requestedBytes);
    }
  });

  test('at the recorded pace, a level that stands through an idle time is seen at both its ends', async () => {
    const lines = ['m 0 1 50000', 'm 0 2 50000', '+ 1000', 'f 0 1', 'f 0 2', '+ 50000000', 'm 0 3 9000'];
    const { result } = await recordRun({
      ...optionsOf(lines, 'glibc'),
      mode: 'virtual',
      pace: 'recorded',
      sampleEvery: 1e6,
    });
    const empty = result.samples.filter((s) => s.requestedBytes === 0).map((s) => s.virtualNs);
    expect(empty[0]).toBeLessThan(1e6);
    expect(empty.at(-1)).toBeGreaterThan(49e6);
  });

  test('a slot that was used again belongs to its last block', async () => {
    const { moments } = await recordRun(bumpOptions(['m 0 1 10', 'f 0 1', 'm 3 2 20']));
    const [end] = moments!;
    expect([end!.blocks.event, end!.blocks.thread]).toEqual([[2], [3]]);
  });

  test('what a page keeps is bounded, however many blocks there are', async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `m 0 ${i} ${(i * 7919) % 3000}`);
    const holes = Array.from({ length: 13_000 }, (_, i) => `f 0 ${i * 3}`);
    const { moments, result } = await recordRun(optionsOf([...lines, ...holes], 'glibc'));
    for (const moment of moments!) {
      expect(JSON.stringify(moment).length).toBeLessThan(400_000);
      expect(moment.blocks.address.length + moment.blocksLeftOut).toBeGreaterThan(25_000);
      expect(moment.blocks.address.length).toBeLessThanOrEqual(5000);
    }
    CLASSES.forEach(({ key }, k) => {
      expect(cellBytes(moments![0]!, k)).toBe(classBytes(result.summary, key));
    });
  });

  test('the peak is looked at where most is asked for', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? `m 0 ${i} 5000` : `f 0 ${i - 1}`));
    lines.splice(1501, 0, 'm 0 90001 9000000', 'f 0 90001');
    const events = eventsOf(lines);
    expect(requestedPeakRows(events)).toContain(1502);
    const { result, moments } = await recordRun(optionsOf(lines, 'glibc'));
    expect(Math.max(...result.samples.map((s) => s.rssBytes))).toBe(result.summary.rssPeakBytes);
    expect(moments!.find((m) => m.label === 'at the peak')!.rssBytes).toBe(result.summary.rssPeakBytes);
  });

  test('in file order the peak is a sample of its own, wherever it falls', async () => {
    // Holes serve most of what is asked for later in the same stretch: most is resident with the one large block before it.
    const blocks = Array.from({ length: 3024 }, (_, i) => `m 0 ${i} 3000`);
    const holes = Array.from({ length: 1488 }, (_, i) => `f 0 ${2 * i}`);
    const again = Array.from({ length: 60 }, (_, i) => `m 0 ${2 * i} 3000`);
    const lines = [...blocks, ...holes, 'm 0 90001 100000', 'f 0 90001', ...again];
    const options = optionsOf(lines, 'glibc:top_pad=0');
    const { result, moments } = await recordRun(options);
    const { end } = momentOf(options, 'peak');
    expect(requestedPeakRows(options.events)).not.toContain(end);
    const peak = result.samples.find((s) => s.event === end)!;
    expect(peak.rssBytes).toBe(result.summary.rssPeakBytes);
    expect(moments!.find((m) => m.label === 'at the peak')).toMatchObject({ event: end, rssBytes: peak.rssBytes });
  });

  test.each([
    ['asap', 1],
    ['asap', 4],
    ['recorded', 4],
  ] as const)('in virtual time too, at pace %s with %i threads', async (pace, threads) => {
    const blocks = Array.from({ length: 3000 }, (_, i) => `m ${i % threads} ${i} 200${i % 9 === 8 ? '\n+ 3000' : ''}`);
    blocks.splice(1501, 0, `m ${threads - 1} 90001 600000`, `f ${threads - 1} 90001`);
    const frees = Array.from({ length: 3000 }, (_, i) => `f ${i % threads} ${i}`);
    const lines = [...blocks, ...frees].flatMap((line) => line.split('\n'));
    for (const allocator of ['glibc:trim_threshold=131072', 'jemalloc:dirty_decay_ms=0']) {
      const options = { ...optionsOf(lines, allocator), mode: 'virtual', pace } as const;
      const { result, moments } = await recordRun(options);
      const peak = moments!.find((m) => m.label === 'at the peak')!;
      expect(peak.rssBytes).toBe(result.summary.rssPeakBytes);
      const sample = result.samples.find((s) => s.virtualNs === peak.ns)!;
      expect([sample.event, sample.rssBytes]).toEqual([peak.event, peak.rssBytes]);
      // Looking changes nothing; jemalloc's own statistics need memory.
      if (allocator.startsWith('glibc')) expect(result.summary).toEqual((await runInMode(options)).summary);
    }
  });

  test.each(['lockstep', 'virtual'] as const)('%s: what an event gives back itself is no moment', async (mode) => {
    // realloc copies from the end of the heap into a mapping, so that both are resident, and the heap shrinks.
    const lines = ['m 0 1 100000', 'w 0 1 0 100000', 'r 0 1 200000', 'f 0 1'];
    const allocator = 'glibc:mmap_threshold=131072,trim_threshold=0,top_pad=0';
    const { result, moments } = await recordRun({ ...optionsOf(lines, allocator), mode, touch: 'none' });
    const most = Math.max(...result.samples.map((s) => s.rssBytes));
    const behind = moments!.find((m) => m.label === 'just behind the peak');
    expect(moments!.map((m) => m.label)).not.toContain('at the peak');
    expect([most < result.summary.rssPeakBytes, behind!.rssBytes]).toEqual([true, most]);
  });
});
