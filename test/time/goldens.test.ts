import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const RUNS: readonly (readonly [
  workload: string,
  allocator: string,
  cpus: number,
  profile?: string,
  topology?: string,
])[] = [
  ['rows:threads=8,rounds=200', 'glibc', 4],
  ['rows:threads=8,rounds=200', 'glibc:arena_max=1', 2],
  ['rows:threads=32,rounds=60', 'glibc:arena_max=1', 32, 'bare-metal'],
  ['rows:threads=32,rounds=60', 'jemalloc:narenas=1', 32, 'bare-metal', 'icelake'],
  ['larson:threads=8,blocks=100,replacements=400', 'glibc', 8],
  ['larson:threads=8,blocks=100,replacements=400', 'jemalloc', 8],
  ['xmalloc-test:pairs=4,batches=10', 'glibc', 8, 'bare-metal'],
  ['mstress:threads=4,scale=5,iterations=1', 'jemalloc', 2],
  ['sh8bench:threads=4,iterations=24,heap=4000,foreign=2000', 'glibc', 2],
  ['lanczos-32t:threads=8,width=200,height=160,sizes=150x100', 'glibc:arena_max=2', 8],
];

// What virtual runs come to: a change here is a change of what the simulation says, and belongs into the changelog.
test('virtual runs', async () => {
  const lines: string[] = [];
  for (const [workload, allocator, cpus, profile = 'vm', topology = 'auto'] of RUNS) {
    const { events, start } = await resolveWorkload(workload);
    const { summary, locks, concurrency } = await runVirtual({
      events,
      workload,
      start,
      spec: parseAllocator(allocator, cpus),
      cpus,
      costs: COST_PROFILES[profile]!,
      topology,
      touch: 'full',
    });
    const of = (field: 'acquisitions' | 'contended' | 'futexWaits') =>
      locks.reduce((sum, lock) => sum + lock[field], 0);
    const { busyNs, kernelNs } = concurrency!.processors!;
    lines.push(
      `${workload} ${allocator} ${cpus} ${profile} ${topology}`,
      `  wall ${Math.round(summary.virtualNs)} busy ${Math.round(busyNs)} kernel ${Math.round(kernelNs)} ns`,
      `  locks ${of('acquisitions')} contended ${of('contended')} futex waits ${of('futexWaits')} calls ${summary.syscalls.futex}`,
    );
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('golden/virtual.txt');
});
