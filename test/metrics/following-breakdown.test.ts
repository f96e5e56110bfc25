import { describe, expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const ALLOCATORS = [
  'glibc',
  'glibc:tcache_count=0,arena_max=2,mmap_threshold=4096,trim_threshold=65536',
  'jemalloc',
  'jemalloc:narenas=2,dirty_decay_ms=0,retain=false',
  'zendmm@8.2+glibc',
  'zendmm@7.1+jemalloc',
  'zendmm@5.6+glibc',
  'zendmm@8.2:all=true', // aborts early where threads free each other’s blocks
];
const WORKLOADS = [
  'stress:profile=mix,events=1200,seed=11',
  'stress:profile=exits,events=1200,threads=5,seed=12',
  'php-pool:requests=3,blocks=80',
];

describe.each(ALLOCATORS)('%s', (allocator) => {
  it.each(WORKLOADS)('%s: samples that follow are those of walks', async (workload) => {
    const { events } = await resolveWorkload(workload);
    for (const [mode, thp] of [
      ['lockstep', 'never'],
      ['virtual', 'never'],
      ['virtual', 'always'],
    ] as const) {
      if (thp === 'always' && !workload.includes('mix')) continue;
      const options = { events, workload, spec: parseAllocator(allocator, 4), cpus: 4, mode, kernel: { thp } };
      const sampleEvery = Math.floor(events.length / 11);
      const followed = await runInMode({ ...options, sampleEvery });
      const walked = await runInMode({ ...options, sampleEvery, check: 'samples' });
      expect(followed.samples.length).toBeGreaterThan(allocator.includes('all=true') ? 0 : 5);
      expect(followed.samples).toEqual(walked.samples);
    }
  });
});

// Samples so close that most of what is free stays as it was, over heaps that grow, shrink, and use records again.
const LISTS = [
  'stress:profile=bins,events=6000,seed=3',
  'stress:profile=fastbin,events=6000,seed=4',
  'stress:profile=trim,events=6000,seed=5',
  'stress:profile=threads,events=6000,threads=6,seed=6',
  'stress:profile=exits,events=6000,threads=6,seed=7',
  'stress:profile=realloc,events=6000,seed=8',
  'stress:profile=aligned,events=6000,seed=9',
  'fragmenter:rounds=3,bytes=262144',
];

describe.each(['glibc', 'glibc@2.41', 'glibc:tcache_count=0,mxfast=0', 'glibc:arena_max=1,top_pad=0,trim_threshold=0'])(
  '%s',
  (allocator) => {
    it.each(LISTS)('%s: free lists that are followed are those of walks', async (workload) => {
      const { events } = await resolveWorkload(workload);
      const spec = parseAllocator(allocator, 4);
      for (const sampleEvery of [13, 97]) {
        const options = { events, workload, spec, cpus: 4, mode: 'lockstep', sampleEvery } as const;
        const followed = await runInMode(options);
        const walked = await runInMode({ ...options, check: 'samples' });
        expect(followed.samples.length).toBeGreaterThan(events.length / sampleEvery - 1);
        expect(followed.samples).toEqual(walked.samples);
      }
    });
  },
);
