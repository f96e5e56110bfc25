import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { assemble } from '../../bench/run/machine.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import type { Pace, RunResult } from '../../bench/run/result.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { OP_FREE, OP_MASK } from '../../sim/contract/event.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { createFreeRunning } from '../../sim/replay/free-running.ts';
import { createSharedObjectTable, type SharedObjectTable } from '../../sim/replay/objects.ts';
import { RECORD_WORDS } from '../../sim/replay/program-order.ts';
import { readProgramOrder } from '../../sim/replay/program-order-reader.ts';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { createTopology } from '../../sim/time/topology.ts';
import { createVirtualLocks, type VirtualLocks } from '../../sim/time/virtual-locks.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { BUMP, eventsOf } from '../helpers/bump-run.ts';
import { shelfSpec } from './shelf.ts';

async function optionsOf(workload: string, allocator: string, more: Partial<RunOptions> = {}) {
  const { events } = await resolveWorkload(workload);
  const cpus = more.cpus ?? 4;
  return { events, workload, spec: parseAllocator(allocator, cpus), cpus, ...more } satisfies RunOptions;
}

const withoutEngine = ({ engine: _, ...rest }: RunResult) => JSON.stringify(rest);
const sumOf = (result: RunResult, field: 'acquisitions' | 'contended' | 'futexWaits') =>
  result.locks.filter((lock) => lock.name !== 'mmap_lock').reduce((sum, lock) => sum + lock[field], 0);

describe('a run in virtual time', () => {
  test('is the same for the same seed; another seed moves times alone', async () => {
    for (const allocator of ['glibc', 'jemalloc']) {
      const options = await optionsOf('xmalloc-test:pairs=3', allocator);
      const first = await runVirtual({ ...options, seed: 1 });
      expect(withoutEngine(await runVirtual({ ...options, seed: 1 }))).toBe(withoutEngine(first));
      const other = await runVirtual({ ...options, seed: 2 });
      expect(other.summary.virtualNs).not.toBe(first.summary.virtualNs);
      expect(other.summary.requestedBytes).toBe(first.summary.requestedBytes);
    }
  });

  test('under taskset threads have one processor, and allocators all of them', async () => {
    const options = await optionsOf('xmalloc-test:pairs=3', 'glibc:arena_max=2');
    const of = async (more: Partial<RunOptions>) =>
      (await runVirtual({ ...options, ...more })).concurrency!.processors!;
    const [one, all] = [await of({ affinity: 1 }), await of({})];
    expect(one.idleNs).toBeGreaterThanOrEqual(3 * one.busyNs);
    expect(all.idleNs).toBeLessThan(2 * all.busyNs);
  });

  test('of one thread is a lockstep run with prices', async () => {
    const options = await optionsOf('stress:profile=mix,threads=1', 'glibc');
    const lockstep = await runLockstep(options);
    const virtual = await runVirtual(options);
    const { latencyNs: _l, virtualNs: _v, cpuNs, waitNs, syscalls, ...memory } = virtual.summary;
    expect(lockstep.summary).toMatchObject({ ...memory, syscalls: { ...syscalls, futex: 0 } });
    expect(cpuNs).toBeGreaterThan(0);
    expect(waitNs).toBe(0);
  });

  test('accounts for all of each thread’s time', async () => {
    const { concurrency, summary } = await runVirtual(await optionsOf('larson:threads=8', 'glibc', { cpus: 3 }));
    const spent = concurrency!.threads.map((t) => t.runningNs + t.waitingNs + t.readyNs + t.blockedNs);
    for (const ns of spent) expect(ns).toBeLessThanOrEqual(summary.virtualNs * 1.001);
    expect(Math.max(...spent)).toBeGreaterThan(summary.virtualNs * 0.9);
    expect(Math.min(...concurrency!.threads.map((t) => t.runningNs))).toBeGreaterThanOrEqual(0);
    expect(summary.cpuNs).toBeLessThanOrEqual(3 * summary.virtualNs);
    expect(concurrency!.threads.reduce((sum, t) => sum + t.events, 0)).toBeGreaterThan(0);
  });

  test('waits for the allocation that another thread makes', async () => {
    const lines = [
      'm 1 1 100000',
      ...Array.from({ length: 50 }, (_, i) => `m 1 ${i + 2} 1000000`),
      'm 1 99 8',
      'f 2 99',
    ];
    const result = await runVirtual({ events: eventsOf(lines), workload: 'test', spec: shelfSpec(), cpus: 3 });
    const consumer = result.concurrency!.threads.find((t) => t.thread === 2)!;
    expect(consumer.blockedNs).toBeGreaterThan(0.8 * result.summary.virtualNs);
    expect(result.concurrency!.crossThreadFrees).toBe(1);
  });

  test('paced as a replay, a thread exits after its last event: its cache goes back, its arena to the next thread', async () => {
    const events = eventsOf(['m 1 1 20000', 'f 1 1', 'm 1 2 100', 'f 2 2', 'm 2 3 100']);
    const run = (allocator: string, pace: Pace) =>
      runVirtual({ events, workload: 'exits', spec: parseAllocator(allocator, 1), cpus: 1, touch: 'full', pace });
    const madvise = async (pace: Pace) => (await run('jemalloc', pace)).summary.syscalls.madvise;
    const arenas = async (pace: Pace) =>
      (await run('glibc', pace)).locks.filter((lock) => /^arena/.test(lock.name) && lock.acquisitions > 0).length;
    expect([await madvise('asap'), await arenas('asap')]).toEqual([0, 2]);
    expect([await madvise('replay'), await arenas('replay')]).toEqual([2, 1]); // each leaves an arena without threads
  });

  test('writes of several threads to one block are at the same time; its free waits for all', async () => {
    const threads = [1, 2, 3, 4];
    const share = 2_000_000;
    const lines = [
      `m 0 1 ${share * threads.length}`,
      ...threads.map((t) => `w ${t} 1 ${(t - 1) * share} ${share}`),
      ...threads.map((t) => `m ${t} ${t + 1} 8`),
      'f 0 1',
    ];
    const options = { events: eventsOf(lines), workload: 'test', spec: shelfSpec(), cpus: 5, touch: 'none' as const };
    const { concurrency, summary } = await runVirtual(options);
    const [main, ...writers] = concurrency!.threads;
    const writing = writers.reduce((sum, t) => sum + t.runningNs, 0);
    for (const t of writers) expect(t.blockedNs).toBeLessThan(0.1 * writing);
    expect(main!.blockedNs).toBeGreaterThan(0.15 * writing);
    expect(summary.virtualNs).toBeLessThan(0.5 * writing);
  });

  test('comes to its end wherever slices end: with the lock held, while the thread waits for others', async () => {
    for (const profile of ['decay', 'prodcons', 'mix']) {
      for (const allocator of ['glibc:arena_max=1', 'glibc:arena_max=2', 'jemalloc']) {
        const options = await optionsOf(`stress:profile=${profile},threads=6,events=3000`, allocator, {
          cpus: 2,
          hz: 10_000,
        });
        for (const seed of [1, 2, 3]) {
          const { concurrency } = await runVirtual({ ...options, seed });
          expect(concurrency!.threads.reduce((sum, t) => sum + t.events, 0)).toBe(options.events.length);
        }
      }
    }
  });

  test('with a lock in every call gets no faster beyond one processor', async () => {
    const options = await optionsOf('rows:threads=4,rounds=3000', 'glibc', { touch: 'none' });
    const spec = shelfSpec(0);
    const one = await runVirtual({ ...options, spec, cpus: 1 });
    const four = await runVirtual({ ...options, spec, cpus: 4 });
    expect(sumOf(four, 'contended')).toBeGreaterThan(0.005 * sumOf(four, 'acquisitions'));
    // There only who loses its processor can have the lock while another one wants it.
    expect(sumOf(one, 'contended')).toBeLessThan(0.001 * sumOf(one, 'acquisitions'));
    expect(four.summary.virtualNs).toBeGreaterThan(0.4 * one.summary.virtualNs);
  });

  test('paced as recorded takes as long as the recording', async () => {
    const events = eventsOf(['m 0 1 8', '+ 1000000', 'm 1 2 8', '+ 500000', 'f 0 1']);
    const options = { events, workload: 'test', spec: BUMP, cpus: 2 };
    expect((await runVirtual({ ...options, pace: 'recorded' })).summary.virtualNs).toBeGreaterThan(1_500_000);
    expect((await runVirtual(options)).summary.virtualNs).toBeLessThan(500_000);
  });

  test('has the pages that a munmap gives back in the time of that munmap', async () => {
    const events = eventsOf(['m 0 1 40000000', 'f 0 1', '= freed', 'm 0 2 100']);
    const { samples, summary } = await runVirtual({
      events,
      workload: 'test',
      spec: parseAllocator('glibc', 1),
      cpus: 1,
    });
    const freed = samples.find(({ label }) => label === 'freed')!;
    expect(summary.virtualNs - freed.virtualNs).toBeLessThan(100_000); // 10,000 pages take 2.5 ms
  });

  test('takes its samples where the trace has them, and one at the end', async () => {
    const events = eventsOf(['m 0 1 8', '= one', 'm 1 2 8', '= two', 'te 1', 'f 0 1']);
    const { samples } = await runVirtual({ events, workload: 'test', spec: BUMP, cpus: 2 });
    expect(samples.map((sample) => sample.label).sort()).toEqual(['(end)', 'one', 'two']);
    expect(samples.every((sample) => sample.virtualNs > 0)).toBe(true);
  });

  test('with walkers on every event finds nothing wrong', async () => {
    for (const allocator of ['glibc:arena_max=2', 'jemalloc']) {
      const options = await optionsOf('stress:profile=mix,threads=4,events=300', allocator, { check: 'events' });
      expect((await runVirtual(options)).partial).toBe(false);
    }
  });
});

test('the article’s loop: two arenas are fought over, the default ones and jemalloc are not', async () => {
  const workload = 'lanczos-32t';
  const runs = await Promise.all(
    ['glibc', 'glibc:arena_max=2', 'jemalloc'].map(async (allocator) =>
      runVirtual(await optionsOf(workload, allocator, { cpus: 32 })),
    ),
  );
  const [glibc, two, jemalloc] = runs.map((run) => ({
    contended: sumOf(run, 'contended') / sumOf(run, 'acquisitions'),
    acquisitions: sumOf(run, 'acquisitions'),
    futexWaits: sumOf(run, 'futexWaits'),
  }));
  expect(two!.contended).toBeGreaterThan(0.3);
  expect(two!.futexWaits).toBeGreaterThan(1000);
  expect(glibc!.contended).toBeLessThan(0.02);
  expect(jemalloc!.acquisitions).toBeLessThan(0.3 * glibc!.acquisitions);
});

test('threads that wait for each other for ever end with the names of their events', () => {
  const events = eventsOf(['m 1 1 8', 'm 2 2 8', 'f 1 2', 'f 2 1']);
  const program = readProgramOrder(events);
  const { order } = program;
  program.readAll();
  // More uses than there are: no trace can say this, since waits point backwards.
  for (let p = 0; p < order.records.length; p += RECORD_WORDS) {
    if ((order.records[p]! & OP_MASK) === OP_FREE) order.records[p + 1] = 2;
  }
  const costs = COST_PROFILES['vm']!;
  const topology = createTopology('pair', 2, costs.lineTransferNs);
  const time = createVirtualTime({
    threads: order.threads,
    cpus: 2,
    costs,
    seed: 0,
    topology,
    version: '6.18',
    hz: 250,
  });
  let locks: VirtualLocks | undefined;
  let objects: SharedObjectTable | undefined;
  const { machine, allocator, request } = assemble({
    spec: BUMP,
    events,
    cpus: 2,
    touch: 'full',
    kernel: KERNEL_DEFAULTS,
    threadSlots: order.threads,
    objects: (memory) => (objects = createSharedObjectTable(memory, order.slotLimit, program.objectSlots)),
    locks: (_, operations) => (locks = createVirtualLocks({ time, operations, perVmaLocks: true })),
  });
  const replay = createFreeRunning({
    threadsExit: false,
    start: 'barrier',
    endsEarly: false,
    program,
    objects: objects!,
    kernel: machine.kernel,
    allocator,
    request,
    touch: 'full',
    time,
    locks: locks!,
    operations: machine.operations,
    recorded: undefined,
    onFailure: () => {},
    onSample: () => {},
    onEvent: undefined,
    changed: undefined,
  });
  replay.begin();
  expect(() => replay.run(100)).toThrow(/event 2 of thread 1 waits .*; event 3 of thread 2 waits/);
});

test('what is done before the run is not played, and leaves no lock behind, whatever it costs', async () => {
  const vm = COST_PROFILES['vm']!;
  const free = (prices: object) => Object.fromEntries(Object.keys(prices).map((name) => [name, 0]));
  const { fillRateL2, fillRateL3, fillRateMemory, fillRateCleared } = vm;
  const rates = { fillRateL2, fillRateL3, fillRateMemory, fillRateCleared };
  const costs = { ...free(vm), ...rates, operations: free(vm.operations) } as typeof vm;
  const result = await runVirtual(await optionsOf('rows:threads=8,rounds=20', 'jemalloc', { costs }));
  expect(result.concurrency!.frees).toBe(result.concurrency!.allocations);
  const usual = await runVirtual(await optionsOf('rows:threads=1,rounds=1,size=8', 'jemalloc', { touch: 'none' }));
  expect(usual.concurrency!.processors!.kernelNs).toBeLessThan(usual.concurrency!.processors!.busyNs);
});
