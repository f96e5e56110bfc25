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
