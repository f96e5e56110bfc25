import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { createMachineKeeper } from '../../bench/run/kept-machine.ts';
import { machineShape } from '../../bench/run/machine-shape.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { resolveWorkload } from '../../workloads/index.ts';

/** Of each family, lists of options that one machine takes. */
const FAMILIES = [
  [
    'glibc',
    'glibc:arena_max=1',
    'glibc:arena_max=2,mxfast=0',
    'glibc:mmap_threshold=65536,trim_threshold=4096',
    'glibc:mmap_max=0,top_pad=0',
    'glibc:tcache_count=0',
    'glibc:tcache_max=64,tcache_unsorted_limit=3,perturb=7',
    'glibc:hugetlb=1',
  ],
  ['glibc@2.36', 'glibc@2.36:arena_max=1', 'glibc@2.36:mmap_threshold=65536', 'glibc@2.36:hugetlb=2'],
  ['jemalloc', 'jemalloc:dirty_decay_ms=0', 'jemalloc:dirty_decay_ms=-1,muzzy_decay_ms=100'],
  ['jemalloc:narenas=1,background_thread=true', 'jemalloc:narenas=1,background_thread=true,dirty_decay_ms=5'],
  ['jemalloc:percpu_arena=percpu,tcache=false'],
  ['zendmm+glibc', 'zendmm+glibc:arena_max=1'],
  ['zendmm@5.6+jemalloc', 'zendmm@5.6+jemalloc:dirty_decay_ms=0'],
  ['zendmm:all=true'],
] as const;

/** Runs that differ in what runs begin with. */
const runs = fc.constantFrom(...FAMILIES).chain((family) =>
  fc.array(
    fc.record({
      allocator: fc.constantFrom(...family),
      seed: fc.nat(3),
      pace: fc.constantFrom('asap' as const, 'recorded' as const),
      check: fc.constantFrom('off' as const, 'samples' as const),
    }),
    { minLength: 2, maxLength: 4 },
  ),
);

const program = fc.record({
  profile: fc.constantFrom('mix', 'mix', 'requests', 'exits', 'bins', 'fastbin', 'threads'),
  events: fc.integer({ min: 1, max: 800 }),
  threads: fc.integer({ min: 1, max: 5 }),
  mode: fc.constantFrom('lockstep' as const, 'virtual' as const),
  cpus: fc.integer({ min: 1, max: 4 }),
  start: fc.constantFrom('barrier' as const, 'serial' as const),
  touch: fc.constantFrom('full' as const, 'first' as const, 'none' as const),
  version: fc.constantFrom('6.1' as const, '6.18' as const),
  thp: fc.constantFrom('never' as const, 'madvise' as const, 'always' as const),
  limit: fc.constantFrom(Infinity, Infinity, 2 ** 24),
  runs,
});

type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;

const outcomeOf = async (options: RunOptions): Promise<string> => {
  const { engine: _, ...result } = await runInMode(options);
  return JSON.stringify(result);
};

const optionsOf = (
  { mode, cpus, start, touch, version, thp, limit }: Program,
  events: EventBuffer,
  { allocator, seed, pace, check }: Program['runs'][number],
): RunOptions => ({
  events,
  workload: 'stress',
  spec: parseAllocator(allocator, cpus),
  cpus,
  mode,
  pace,
  seed,
  start,
  touch,
  kernel: { version, thp, rlimitAs: limit, rlimitData: Infinity },
  lastSampleOnly: true,
  check,
});

test('a run in a machine that was used before has the bytes of one in a machine of its own, and all invariants', async () => {
  let again = 0;
  const property = fc.asyncProperty(program, async (drawn) => {
    const { profile, events: count, threads } = drawn;
    const { events } = await resolveWorkload(`stress:profile=${profile},events=${count},threads=${threads}`, {
      seed: 3,
    });
    const keeper = createMachineKeeper();
    const reused = {
      look: keeper.look,
      put: keeper.put,
      take(shape: string) {
        const machine = keeper.take(shape);
        if (machine) again++;
        return machine;
      },
    };
    for (const run of drawn.runs) {
      const options = optionsOf(drawn, events, run);
      const shape = machineShape(options, 'a trace')!;
      expect(await outcomeOf({ ...options, machine: { shape, keeper: reused } })).toBe(await outcomeOf(options));
    }
  });
  await fc.assert(property, { numRuns: 40, seed: 20_261_130 });
  expect(again).toBeGreaterThan(20);
}, 180_000);
