import { describe, expect, test } from 'vitest';
import { createHeatMapRecorder } from '../../../bench/report/heat-map.ts';
import { BIRTHS_UNKNOWN, birthsInFileOrder } from '../../../bench/report/moments/births.ts';
import { collectAreas, groupName } from '../../../bench/run/areas.ts';
import { LockstepRun } from '../../../bench/run/modes/lockstep.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { countedName } from '../../../bench/study/explain/heap/area-groups.ts';
import { demandOf } from '../../../bench/study/explain/heap/demand.ts';
import { liveBlocks } from '../../../bench/study/explain/heap/live-blocks.ts';
import { changeSentences } from '../../../bench/study/explain/heap/tunable-text.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { bump, createBump } from '../../../docs/examples/bump.ts';
import { BRK_START_PAGE } from '../../../sim/kernel/layout.ts';
import type { Breakdown } from '../../../sim/metrics/sample.ts';
import { bumpOptions, eventsOf } from '../../helpers/bump-run.ts';

const FIRST = BRK_START_PAGE * 4096;

describe('names of areas', () => {
  test('those that differ by the number of an instance alone are one group', () => {
    expect(groupName('arena 3, heap 1', 'heap')).toBe('arena heap');
    expect(groupName('slab of 320, arena 2', 'slab')).toBe('slab of 320');
    expect(groupName('dirty extent of arena 12', 'extent')).toBe('dirty extent');
    expect(groupName('main heap', 'heap')).toBe('main heap');
    expect(countedName('slab of 320', 3)).toBe('3 slabs of 320');
    expect(countedName('arena heap', 14)).toBe('14 arena heaps');
    expect(countedName('main heap', 1)).toBe('main heap');
  });

  test('an area within another is cut out of it', () => {
    const options = bumpOptions(['m 0 1 40000']);
    const layered = {
      ...options.spec,
      model: {
        ...bump,
        create: (machine: Parameters<typeof createBump>[0]) => ({
          ...createBump(machine),
          areas: (visit: (start: number, length: number, name: string, kind: 'heap' | 'chunk') => void) => {
            visit(FIRST, 8 * 4096, 'outer', 'heap');
            visit(FIRST + 100, 5000, 'inner', 'chunk');
            visit(FIRST + 200, 300, 'innermost', 'chunk');
          },
        }),
      },
    };
    const run = new LockstepRun({ ...options, spec: layered });
    run.advance(1);
    expect(collectAreas(run.assembled).map((a) => [a.name, a.start - FIRST, a.end - FIRST])).toEqual([
      ['outer', 0, 100],
      ['inner', 100, 200],
      ['innermost', 200, 500],
      ['inner', 500, 5100],
      ['outer', 5100, 8 * 4096],
      ['brk heap', 8 * 4096, run.assembled.machine.kernel.brkEnd() * 4096 - FIRST],
    ]);
  });
});

describe('live blocks', () => {
  test('who allocated them, where, and who can free them', () => {
    const lines = ['tb 7', 'm 7 1 100', 'm 0 2 50', 'te 7', 'm 5 3 10', 'r 0 2 300', 'f 0 3', 'm 8 4 1'];
    const options = bumpOptions(lines);
    const run = new LockstepRun(options);
    run.advance(lines.length);
    const { blocks, threads } = liveBlocks(run, options.events);
    expect(blocks.map((b) => [b.event, b.thread, b.requestedBytes, b.freedBy === 0])).toEqual([
      [1, 7, 100, true], // thread 7 has exited, and thread 8 lives in its place
      [5, 0, 300, true],
      [7, 8, 1, false],
    ]);
    expect(threads.length).toBe(3);
  });
});

describe('growth', () => {
  const floors = (lines: readonly string[]) => {
    const events = eventsOf(lines);
    return demandOf(events, events.length, false).growth;
  };

  test('rises where every quarter keeps more than the one before', () => {
    const leak = Array.from({ length: 100 }, (_, i) => [
      `m 0 ${2 * i} 100`,
      `m 0 ${2 * i + 1} 1000`,
      `f 0 ${2 * i + 1}`,
    ]);
    expect(floors(leak.flat()).rises).toBe(true);
    const steady = Array.from({ length: 100 }, (_, i) => [`m 0 ${i} 1000`, `f 0 ${i}`]);
    expect(floors(steady.flat())).toMatchObject({
      floors: [0, 0, 0, 0],
      rises: false,
      parts: [],
      freed: { blocks: 75 },
    });
  });

  test('what is loaded at first and then kept rises by events alone: no growth where there are times', () => {
    const loaded = Array.from({ length: 300 }, (_, i) => `m 0 ${i} 100`);
    const served = Array.from({ length: 8 }, (_, i) => ['+ 10000000', `m 0 ${1000 + i} 300`, `f 0 ${1000 + i}`]).flat();
    expect(floors([...loaded, ...served.filter((line) => !line.startsWith('+'))]).rises).toBe(true);
    expect(floors([...loaded, ...served]).rises).toBe(false);
    expect(floors(loaded.flatMap((line) => ['+ 10000', line])).rises).toBe(true);
  });

  describe('the frees right before the exit are no fall', () => {
    const kept = Array.from({ length: 300 }, (_, i) => ['+ 10000', `m 0 ${i} 100`]).flat();
    const locals = Array.from({ length: 100 }, (_, i) => `f 0 ${i}`);
    const growth = (lines: readonly string[]) => {
      const events = { ...eventsOf([...lines, '= end']), source: 'recorded', exitRow: lines.length };
      return explain({ ...bumpOptions(['m 0 1 1']), events, whatIf: false }).growth;
    };

    test('whatever the end of main() frees', () => {
      const { floors: least, rises } = growth([...kept, ...locals]);
      expect(rises).toBe(true);
      expect(least).toEqual(growth(kept).floors);
      expect(growth([...kept, ...locals, '+ 500000']).rises).toBe(true);
    });

    test.each([
      ['it lives on behind them', [...locals, '+ 20000000']],
      ['it asks for something that stays behind them', [...locals, 'm 0 900 100']],
      ['it stops between them', [...locals.slice(0, 50), '+ 200000000', ...locals.slice(50)]],
    ])('but not where %s', (_, lines) => {
      expect(growth([...kept, ...lines]).rises).toBe(false);
    });
  });
});

/** Causes that are one class of the breakdown are called as it is. */
const HEADLINES: Readonly<Record<string, string>> = {
  'in use': 'requested',
  rounding: 'slack',
  cache: 'cached',
  nothing: 'nothing is resident',
};

describe('the verdict', () => {
  const facts = explain({ ...bumpOptions(['m 0 1 100000', 'f 0 1', 'm 0 2 5']), whatIf: false });
  const nothing: Breakdown = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };
  const verdict = (breakdown: Partial<Breakdown>, returnsBytes = 0, rises = false, lastFloor = 80) => {
    const whole = { ...nothing, ...breakdown };
    const rssBytes = Object.values(whole).reduce((sum, n) => sum + n, 0);
    return judge({
      ...facts,
      sample: { ...facts.sample, rssBytes, breakdown: whole },
      returns: [{ ...facts.returns[0], returnsBytes }],
      growth: { floors: [1, 2, 3, lastFloor], rises, parts: [], freed: { blocks: 1000, bytes: 1000 }, reallocBytes: 0 },
      pinning: [],
    });
  };

  test.each([
    ['in use', verdict({ requested: 90, slack: 5, pinned: 10 })],
    ['rounding', verdict({ requested: 8, slack: 16, metadata: 8 })],
    ['leak', verdict({ requested: 90, pinned: 10 }, 0, true)],
    ['in use', verdict({ requested: 90, pinned: 10 }, 0, true, 20)],
    ['cache', verdict({ requested: 10, cached: 30 })],
    ['retention by policy', verdict({ requested: 10, returnable: 40, pinned: 5 }, 40)],
    ['fragmentation by pinning', verdict({ requested: 10, returnable: 1, pinned: 50 }, 1)],
    ['metadata', verdict({ requested: 10, metadata: 11 })],
    ['nothing', verdict({})],
  ])('%s', (kind, v) => {
    expect(v.kind).toBe(kind);
    expect(v.headline.toLowerCase()).toContain(HEADLINES[kind] ?? kind);
  });

  test('what is in use is what was asked for, as in the report', () => {
    const { shares } = verdict({ requested: 90, slack: 5, pinned: 10 });
    expect(shares).toMatchObject({ 'in use': 90, rounding: 5 });
  });

  test('a purge that takes more than is free, as an allocator may, counts no more than that', () => {
    expect(verdict({ requested: 10, returnable: 40 }, 100).shares['retention by policy']).toBe(40);
  });
});

describe('changed thresholds in words', () => {
  test('rises are one sentence, what was set is told with its call', () => {
    const raise = (event: number, from: number, to: number) => ({
      event,
      cause: 'free',
      causedBy: 'free' as const,
      blockBytes: to - 16,
      changes: { mmap_threshold: [from, to] as const, trim_threshold: [2 * from, 2 * to] as const },
    });
    const set = {
      event: 9,
      cause: 'mallopt(M_TOP_PAD, 0)',
      causedBy: 'mallopt' as const,
      blockBytes: undefined,
      changes: { top_pad: [131072, 0] as const, no_dyn_threshold: [0, 1] as const },
    };
    const sentences = changeSentences([raise(3, 131072, 1 << 20), raise(5, 1 << 20, 1 << 24), set]);
    expect(sentences).toHaveLength(4);
    expect(sentences[0]).toContain('from 128.0 KiB to 16.0 MiB in 2 steps, the last by the free of a block');
    expect(sentences[1]).toContain('from 256.0 KiB to 32.0 MiB');
    expect(sentences[2]).toContain('stopped adapting by mallopt(M_TOP_PAD, 0) at event 9');
    expect(sentences[3]).toBe('top_pad changed from 131,072 to 0 by mallopt(M_TOP_PAD, 0) at event 9.');
  });
});

describe('the heat map', () => {
  test('a cell says how much is resident, and how much of that is live', () => {
    const options = bumpOptions(['m 0 1 65000', 'm 0 2 60', 'm 0 3 65000', 'f 0 1']);
    const run = new LockstepRun(options);
    const recorder = createHeatMapRecorder({ births: birthsInFileOrder(options.events), siteOf: () => '' });
    for (const stop of [3, 4]) {
      run.advance(stop);
      recorder.capture(stop, run.assembled);
    }
    const heat = recorder.finish()!;
    const cells = [...Buffer.from(heat.cells, 'base64')];
    expect(heat.events).toEqual([3, 4]);
    expect(heat.rows[0]).toEqual({ address: expect.stringMatching(/^0x5555\w+$/), name: 'main heap' });
    expect(cells[0]! & 15).toBe(15); // full of live bytes
    expect(cells[1]! & 15).toBe(0); // and none
    expect(cells[1]! >> 4).toBe(cells[0]! >> 4); // as resident as before
  });

  test('nothing resident, no map', () => {
    expect(createHeatMapRecorder({ births: BIRTHS_UNKNOWN, siteOf: () => '' }).finish()).toBeNull();
  });
});
