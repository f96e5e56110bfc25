import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averageAfter, averageCells } from '../../allocators/zend/deciding-state.ts';
import { type HeapSettings, Shard } from '../../fleet/engine/shard.ts';
import { createRandom } from '../../sim/contract/random.ts';
import { resolveWorkload } from '../../workloads/index.ts';

/** Requests of several kinds, small enough to be played by the thousand. */
const WORKLOADS = [
  'php-pool:requests=1,kept=0,calls=6,blocks=120,strings=1',
  'php-pool:requests=1,kept=0,calls=3,blocks=60,strings=5,seed=3',
  'php-pool:requests=1,kept=0,calls=40,blocks=80,strings=0,buffer=200000,seed=4',
  'php-pool:requests=1,kept=48,calls=2,blocks=40,strings=0,seed=5',
  'lanczos-32t:threads=5,width=64,height=40,sizes=32x20+16x10',
  'lanczos-32t:threads=3,width=300,height=12,sizes=100x8,seed=2',
  // Mostly served by the caches of their threads.
  'lanczos-32t:threads=6,width=3840,height=420,sizes=300x200+160x100',
  'lanczos-32t:threads=3,width=700,height=900,sizes=300x200',
];
const events = await Promise.all(WORKLOADS.map(async (name) => (await resolveWorkload(name)).events));

function settingsOf(
  allocator: string,
  remembers: boolean,
  recyclePages: number,
  after: HeapSettings['after'],
): HeapSettings {
  return {
    allocator,
    processors: 4,
    kernel: { version: '6.1', thp: 'never' },
    startup: undefined,
    requests: events,
    after,
    recyclePages,
    remembers,
    remembersLayer: remembers,
  };
}

/** One slot that serves these requests, one a millisecond, and looks at its memory all the time. */
function play(
  allocator: string,
  requests: readonly number[],
  remembers: boolean,
  recyclePages = Infinity,
  after: HeapSettings['after'] = 'nothing',
) {
  const count = requests.length;
  const startUs = Float64Array.from(requests, (_, i) => 1000 * i);
  const half = count >> 1;
  const shard = new Shard(settingsOf(allocator, remembers, recyclePages, after));
  const result = shard.play({
    settings: settingsOf(allocator, remembers, recyclePages, after),
    samplesUs: Float64Array.from({ length: 4 * count + 4 }, (_, i) => 250 * i),
    slots: [
      {
        startUs,
        endUs: startUs.map((us) => us + 700),
        request: Uint32Array.from(requests),
        lives: [
          { bornUs: 0, endUs: 1000 * half, first: 0, last: half },
          { bornUs: 1000 * half, endUs: 1000 * count, first: half, last: count },
        ],
      },
    ],
  });
  const timeline = result.timelines[0]!;
  return {
    counts: result.counts,
    compares: result.compares,
    figures: {
      resident: [...timeline.residentPages],
      peak: [...timeline.peakPages],
      faults: [...timeline.faults],
      allocatorUs: [...timeline.allocatorUs],
      within: [...timeline.withinPages],
      recycled: timeline.recycled,
      layouts: [...timeline.layout].map((number) => (number < 0 ? null : [...result.layouts[number]!])),
      holdings: result.holdings,
    },
  };
}

const ALLOCATORS = [
  'zendmm@8.2+glibc@2.36',
  'zendmm@7.1+glibc@2.31',
  'glibc@2.36',
  'glibc@2.41:arena_max=2,mmap_threshold=131072',
  'zendmm@8.2+glibc@2.36:tcache_count=0',
];

const JEMALLOC = [
  'zendmm@8.2+jemalloc@5.3.0',
  'zendmm@8.2+jemalloc@5.3.0:background_thread=true',
  'zendmm@7.1+jemalloc@5.3.0:retain=false,dirty_decay_ms=0,muzzy_decay_ms=0',
];

describe('a heap in a state that was met before', () => {
  test.each(ALLOCATORS)('is not played again, and every figure is as if it were: %s', (allocator) => {
    let met = 0;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 4, 5), { minLength: 10, maxLength: 60 }),
        fc.constantFrom(Infinity, 700),
        fc.constantFrom<HeapSettings['after']>('nothing', 'malloc_trim', 'gc_mem_caches'),
        (requests, recyclePages, after) => {
          const remembered = play(allocator, requests, true, recyclePages, after);
          met += remembered.counts.met;
          expect(remembered.figures).toEqual(play(allocator, requests, false, recyclePages, after).figures);
        },
      ),
      { numRuns: 8, seed: 4711, endOnFailure: true },
    );
    expect(met).toBeGreaterThan(0);
  });

  // Rows of several threads in few arenas: the places of their buffers, between blocks that stay, are freed in another order by each request.
  test.each([
    'glibc@2.36:arena_max=2',
    'zendmm@8.2+glibc@2.36:arena_max=1',
    'glibc@2.41:arena_max=2,tcache_count=0',
    'glibc@2.31:arena_max=1,mmap_threshold=131072',
  ])('places that differ in their addresses alone are one: %s', (allocator) => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 6, 6, 7), { minLength: 40, maxLength: 120 }), (requests) => {
        const remembered = play(allocator, requests, true);
        expect(remembered.figures).toEqual(play(allocator, requests, false).figures);
      }),
      { numRuns: 4, seed: 4711, endOnFailure: true },
    );
  });

  test('teams that free such places in ever other orders meet known heaps', () => {
    const random = createRandom(4711, 'requests');
    const requests = Array.from({ length: 500 }, () => [0, 6, 7][random.integer(0, 2)]!);
    const { counts } = play('zendmm@8.2+glibc@2.36:arena_max=1', requests, true);
    // 73 where their addresses count.
    expect(counts.played).toBeLessThan(40);
    expect(counts.played + counts.met).toBe(500);
  });

  test('long runs of few kinds are mostly met', () => {
    const requests = Array.from({ length: 600 }, (_, i) => [0, 0, 1, 0, 2, 0, 4, 0][(i * 7 + (i >> 3)) % 8]!);
    const remembered = play('zendmm@8.2+glibc@2.36', requests, true);
    expect(remembered.figures).toEqual(play('zendmm@8.2+glibc@2.36', requests, false).figures);
    expect(remembered.counts.met).toBeGreaterThan(400);
    expect(remembered.counts.met + remembered.counts.played).toBe(600);
  });

  test('where time decides, nothing is remembered but what PHP does', () => {
    const requests = [0, 1, 0, 1, 4, 0];
    const jemalloc = play('zendmm@8.2+jemalloc@5.3.0', requests, true);
    expect(jemalloc.compares).toBe(false);
    expect(jemalloc.counts).toMatchObject({ played: 6, met: 0 });
  });
});

describe("PHP's part of a request, and threads that their caches serve, where time decides", () => {
  test.each(JEMALLOC)('is not played again, and every figure is as if it were: %s', (allocator) => {
    let met = 0;
    let threads = 0;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7), { minLength: 10, maxLength: 80 }),
        fc.constantFrom(Infinity, 700),
        fc.constantFrom<HeapSettings['after']>('nothing', 'malloc_trim', 'gc_mem_caches'),
        (requests, recyclePages, after) => {
          const remembered = play(allocator, requests, true, recyclePages, after);
          met += remembered.counts.layerMet;
          threads += remembered.counts.threadsMet;
          expect(remembered.figures).toEqual(play(allocator, requests, false, recyclePages, after).figures);
        },
      ),
      { numRuns: 10, seed: 4711, endOnFailure: true },
    );
    expect(met).toBeGreaterThan(0);
    expect(threads).toBeGreaterThan(0);
  });
});

test('avg_chunks_count decides by its cells alone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 60 }),
      (peaks, count) => {
        let average = 1;
        for (const peak of peaks) {
          average = averageAfter(average, peak);
          const { keepsBelow, dropsFrom } = averageCells(average);
          expect(count < average + 0.1).toBe(count < keepsBelow);
          expect(count + 0.9 > average).toBe(count >= dropsFrom);
        }
      },
    ),
  );
});
