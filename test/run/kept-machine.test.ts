import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { createMachineKeeper, type MachineKeeper } from '../../bench/run/kept-machine.ts';
import { machineShape } from '../../bench/run/machine-shape.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { PIECE_ROWS } from '../../workloads/trace/common-rows.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { openPassingTrace, type PassingFile } from '../../workloads/trace/passing.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

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

async function eventsOf({ profile, events, threads }: Program): Promise<EventBuffer> {
  return (await resolveWorkload(`stress:profile=${profile},events=${events},threads=${threads}`, { seed: 3 })).events;
}

const outcomeOf = async (options: RunOptions<EventBuffer | PassingTrace>): Promise<string> => {
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

/** Counts the runs that get a machine of another one. */
function createCountingKeeper() {
  const keeper = createMachineKeeper();
  let again = 0;
  const counting: MachineKeeper = {
    ...keeper,
    take(shape) {
      const machine = keeper.take(shape);
      if (machine) again++;
      return machine;
    },
  };
  return { keeper: counting, again: () => again };
}

test('a run in a machine that was used before has the bytes of one in a machine of its own, and all invariants', async () => {
  let again = 0;
  const property = fc.asyncProperty(program, async (drawn) => {
    const events = await eventsOf(drawn);
    const counting = createCountingKeeper();
    for (const run of drawn.runs) {
      const options = optionsOf(drawn, events, run);
      const machine = { shape: machineShape(options, 'a trace')!, keeper: counting.keeper };
      expect(await outcomeOf({ ...options, machine })).toBe(await outcomeOf(options));
    }
    again += counting.again();
  });
  await fc.assert(property, { numRuns: 40, seed: 20_261_130 });
  expect(again).toBeGreaterThan(20);
}, 180_000);

/** One thread and no times: it can be executed in virtual time too while it is read, in more than one piece. */
const passing = program.chain((drawn) =>
  fc.record({
    ...Object.fromEntries(Object.entries(drawn).map(([name, value]) => [name, fc.constant(value)])),
    profile: fc.constantFrom('requests', 'bins', 'fastbin', 'realloc', 'trim'),
    events: fc.integer({ min: 1, max: 2.5 * PIECE_ROWS }),
    threads: fc.constant(1),
  }),
) as fc.Arbitrary<Program>;

test('so has one that reads its trace anew', async () => {
  let again = 0;
  const path = `${temporaryFolder()}/trace.htb`;
  const property = fc.asyncProperty(passing, async (drawn) => {
    const events = await eventsOf(drawn);
    await writeTrace(path, events);
    const counting = createCountingKeeper();
    const order = drawn.mode === 'virtual' ? 'program' : 'file';
    for (const run of drawn.runs) {
      const options = optionsOf(drawn, events, { ...run, pace: 'asap' });
      const machine = { shape: machineShape(options, 'a trace')!, keeper: counting.keeper };
      const kept = counting.keeper.look(machine.shape)?.events as PassingFile | undefined;
      const trace = openPassingTrace(path, order, kept?.tables)!;
      expect(await outcomeOf({ ...options, events: trace, machine })).toBe(await outcomeOf(options));
      await trace.close();
    }
    again += counting.again();
  });
  await fc.assert(property, { numRuns: 16, seed: 20_261_130 });
  expect(again).toBeGreaterThan(8);
}, 180_000);
