import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const CPUS = 4;

async function cpuNs(workload: string, allocator: string, touch: 'none' | 'full'): Promise<number> {
  const { events, start } = await resolveWorkload(workload);
  const spec = parseAllocator(allocator, CPUS);
  const { summary } = await runVirtual({ events, workload, start, spec, cpus: CPUS, touch });
  return summary.cpuNs!;
}

/**
 * Blocks that the allocator fills itself cost it time, also on pages that it is then the first one to touch. Threads that meet at a lock are left out: who is slower
 * meets the others less often.
 */
test.each([
  ['glibc', 'glibc:perturb=1'],
  ['glibc', 'glibc:perturb=255'],
  ['jemalloc', 'jemalloc:junk=true'],
  ['jemalloc', 'jemalloc:junk=alloc'],
  ['jemalloc', 'jemalloc:zero=true'],
])('%s is faster than %s', async (plain, filling) => {
  const workloads = [
    'mstress:threads=1,scale=40,iterations=1',
    'larson:threads=1,blocks=100,replacements=500',
    'rptest:threads=1,loops=60',
    'fragmenter:rounds=3,bytes=1M',
  ];
  for (const workload of workloads) {
    const without = await cpuNs(workload, plain, 'none');
    expect(await cpuNs(workload, filling, 'none'), workload).toBeGreaterThan(without);
  }
});

test('glibc’s perturb costs time where the program writes everything too', async () => {
  for (const workload of [
    'mstress:threads=4,iterations=1,scale=20',
    'alloc-test:steps=20000,slots=20000',
    'php-pool:requests=3',
  ]) {
    const without = await cpuNs(workload, 'glibc', 'full');
    expect(await cpuNs(workload, 'glibc:perturb=1', 'full'), workload).toBeGreaterThan(without);
  }
});

test('calloc costs more than malloc, by what it clears', async () => {
  const { createEventBuilder } = await import('../../workloads/builder.ts');
  const times = await Promise.all(
    (['malloc', 'calloc'] as const).map(async (kind) => {
      const events = createEventBuilder({ name: kind, rows: 4000 });
      for (let i = 0; i < 1000; i++) {
        const block = kind === 'malloc' ? events.malloc(0, 3000) : events.calloc(0, 1, 3000);
        events.free(0, block);
      }
      const spec = parseAllocator('glibc', 1);
      return (await runVirtual({ events: events.finish(), workload: kind, spec, cpus: 1, touch: 'none' })).summary
        .cpuNs!;
    }),
  );
  // 3,000 bytes at 80 a nanosecond.
  expect((times[1]! - times[0]!) / 1000).toBeGreaterThan(3000 / 80 / 1.2);
});
