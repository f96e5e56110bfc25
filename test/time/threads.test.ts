import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { summaryText } from '../../bench/report/text/summary.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { runThreads } from '../../bench/run/modes/threads.ts';
import { breakdownBytes } from '../../sim/metrics/breakdown.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { requireThat } from '../helpers/require.ts';

const WORKER = fileURLToPath(new URL('../../dist/bench/run/modes/thread-worker.js', import.meta.url));
const TIMEOUT_MS = 300_000;

// Each run ends with the model's walkers, and with the proof that no two live blocks overlap.
for (const [allocator, workload, perturbSeed] of [
  ['glibc', 'stress:profile=mix,threads=32,events=30000', undefined],
  ['glibc:arena_max=2', 'larson:threads=8,rounds=2', 1],
  ['glibc:arena_max=1', 'xmalloc-test:pairs=4', 2],
  ['jemalloc', 'stress:profile=mix,threads=32,events=30000', undefined],
  ['jemalloc:narenas=4094', 'stress:profile=threads,threads=16,events=4000', undefined],
  ['jemalloc:narenas=1', 'larson:threads=8,rounds=2', 3],
  ['jemalloc', 'xmalloc-test:pairs=4', 4],
  ['zendmm:all=true', 'rows:threads=32,rounds=100', undefined],
] as const) {
  const delays = perturbSeed === undefined ? '' : `, delays at locks drawn by seed ${perturbSeed}`;
  test(
    `${allocator} on real threads: ${workload}${delays}`,
    async (context) => {
      requireThat(context, existsSync(WORKER), 'needs the built files (npm run build)');
      const { events } = await resolveWorkload(workload);
      const options = { events, workload, spec: parseAllocator(allocator, 4), cpus: 4 };
      const lockstep = await runLockstep(options);
      const threads = await runThreads({ ...options, ...(perturbSeed !== undefined && { perturbSeed }) });
      expect(threads.partial).toBe(false);
      expect(threads.summary.requestedBytes).toBe(lockstep.summary.requestedBytes);
      expect(threads.summary.liveBlocks).toBe(lockstep.summary.liveBlocks);
      expect(breakdownBytes(threads.summary.breakdown)).toBe(threads.summary.rssBytes);
      expect(threads.concurrency!.threads.reduce((sum, t) => sum + t.events, 0)).toBe(events.length);
      expect(summaryText(threads)).toMatch(/^ +run +\S+ \S+ +measured$/m);
    },
    TIMEOUT_MS,
  );
}

test(
  'glibc takes its locks from the first call on: another thread may begin in the middle of it',
  async (context) => {
    requireThat(context, existsSync(WORKER), 'needs the built files (npm run build)');
    const blocks = Array.from({ length: 300 }, (_, i) => `m 0 ${i + 1} 2000`);
    const events = eventsOf([...blocks, 'f 1 300']);
    const { locks } = await runThreads({ events, workload: 'test', spec: parseAllocator('glibc', 2), cpus: 2 });
    const main = locks.find(({ name }) => name === 'main_arena.mutex');
    expect(main!.acquisitions).toBeGreaterThanOrEqual(blocks.length);
  },
  TIMEOUT_MS,
);

test(
  'what the allocator aborts for is the result of the run, and ends all threads',
  async (context) => {
    requireThat(context, existsSync(WORKER), 'needs the built files (npm run build)');
    const events = eventsOf(['m 1 1 8', 'f 2 1', ...Array.from({ length: 2000 }, (_, i) => `m ${i % 4} ${i + 2} 64`)]);
    const spec = parseAllocator('zendmm:all=true', 4);
    const { abort } = await runThreads({ events, workload: 'test', spec, cpus: 4 });
    expect(abort).toMatchObject({ event: 1, message: expect.stringContaining('zend_mm_heap corrupted') });
  },
  TIMEOUT_MS,
);
