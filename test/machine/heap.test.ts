import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { heapProgram } from '../../bench/run/heap-program.ts';
import { runLockstep } from '../../bench/run/session.ts';
import { Heap } from '../../machine/heap/heap.ts';
import { startWorker } from '../../machine/script/worker-image.ts';
import { MachineRun } from '../../machine/script/machine-run.ts';
import type { Allocator } from '../../sim/contract/allocator.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const WORKLOADS = ['stress:events=20000,seed=3', 'fragmenter', 'php-repeat', 'server:requests=40'];
const ALLOCATORS = ['glibc', 'glibc@2.31', 'jemalloc', 'jemalloc:narenas=1', 'zendmm+glibc', 'zendmm@5.6+jemalloc'];

const machineOf = (thp: 'never' | 'always' = 'never') =>
  new MachineRun({ memoryMb: 16384, thp, processors: 1, kernel: '6.1' }, 'test', () => {});

async function programOf(workload: string, allocator: string) {
  const { events, cpus = 2 } = await resolveWorkload(workload);
  const spec = parseAllocator(allocator, cpus);
  return { workload, allocator, events, spec, cpus };
}

test.each(WORKLOADS.flatMap((workload) => ALLOCATORS.map((allocator) => [workload, allocator] as const)))(
  '%s under %s: the same process as alone',
  async (workload, allocator) => {
    const options = await programOf(workload, allocator);
    const alone = await runLockstep({ ...options, kernel: { version: '6.1', thp: 'never' } });
    const run = machineOf();
    const task = startWorker(run.k, run.image, 'p1');
    const heap = new Heap(run.k, task, heapProgram(options));
    expect(heap.advance()).toBe('there');
    const { kernel } = heap.parts.machine;
    expect({
      faults: heap.memory.faults(),
      rss: kernel.residency.residentPages() * 4096,
      peak: kernel.residency.residentPeakPages() * 4096,
      vsz: kernel.mappedPages() * 4096,
      failed: heap.failedAllocations,
      stats: (heap.parts.top as Allocator).stats(),
    }).toEqual({
      faults: alone.summary.faults,
      rss: alone.summary.rssBytes,
      peak: alone.summary.rssPeakBytes,
      vsz: alone.summary.vszBytes,
      failed: alone.summary.failedAllocations,
      stats: alone.stats,
    });
  },
);
