import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { resolveWorkload } from '../../workloads/index.ts';

// Events are executed one by one where somebody looks at each, else many by a loop of their own: both are the same run.
test.each(
  ['glibc', 'jemalloc', 'zendmm@8.2+glibc'].flatMap((allocator) => [
    [allocator, 'asap' as const],
    [allocator, 'recorded' as const],
  ]),
)('looking at every event changes no figure: %s, pace %s', async (allocator, pace) => {
  const workload = 'stress:profile=mix,events=12000,threads=4';
  const { events, start } = await resolveWorkload(workload);
  const options = {
    events,
    workload,
    start,
    spec: parseAllocator(allocator, 3),
    cpus: 3,
    pace,
    touch: 'full' as const,
  };
  const plain = await runVirtual(options);
  const seen = await runVirtual({ ...options, onAllocation: () => {} });
  expect(seen.summary).toEqual(plain.summary);
  expect(seen.locks).toEqual(plain.locks);
});
