import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import { loadForBatch } from '../../bench/commands/load-task.ts';
import { createMachineKeeper } from '../../bench/run/kept-machine.ts';
import { compare } from '../../bench/study/compare/compare.ts';
import { describeTask, runKey } from '../../bench/study/parallel/run-key.ts';
import { runTask } from '../../bench/study/parallel/run-task.ts';
import { shapeOf } from '../../bench/study/parallel/task-shape.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

let path: string;

beforeEach(async () => {
  path = `${temporaryFolder()}/trace.htb`;
  await writeTrace(path, benchTrace('mixed', 80_000, false));
});

const load = (mode: 'lockstep' | 'virtual' | undefined, more: object = {}) =>
  loadForBatch({
    workload: path,
    allocator: undefined,
    cpus: 2,
    kernel: '6.1',
    touch: undefined,
    seed: 0,
    thp: undefined,
    'rlimit-as': undefined,
    'rlimit-data': undefined,
    lenient: false,
    mode,
    pace: undefined,
    costs: 'vm',
    topology: 'auto',
    hz: 250,
    engine: undefined,
    ...more,
  });

const RUN = { allocator: 'jemalloc', seed: 0 };

describe('a batch over a file in binary form', () => {
  it.each(['lockstep', 'virtual', undefined] as const)(
    'reads it in each run, mode %s: the same results',
    async (mode) => {
      const { task, recorded } = await load(mode);
      expect(task.events).toBeUndefined();
      expect(task.file?.rows).toBe(80_000);
      expect(recorded).toBe('glibc');
      const { file: _, ...rest } = task;
      const { engine: _1, ...found } = (await runTask({ ...task, ...RUN })).result;
      const { engine: _2, ...whole } = (await runTask({ ...rest, events: await readTrace(path), ...RUN })).result;
      expect(found).toEqual(whole);
    },
  );

  it.each(['lockstep', 'virtual'] as const)(
    'reads it into the columns of the machine that another run has left, mode %s',
    async (mode) => {
      const { task } = await load(mode);
      const keeper = createMachineKeeper();
      const machines = new Set<object>();
      for (const allocator of ['glibc', 'glibc:arena_max=1', 'glibc:tcache_count=0', 'jemalloc', 'glibc']) {
        const run = { ...task, ...RUN, allocator };
        const shape = shapeOf(run)!;
        const { engine: _1, ...found } = (await runTask(run, { machine: { shape, keeper } })).result;
        machines.add(keeper.look(shape)!);
        const { engine: _2, ...own } = (await runTask(run)).result;
        expect(found, allocator).toEqual(own);
      }
      expect(machines.size).toBe(3);
    },
  );

  it('makes a machine for each run of a trace with samples', async () => {
    await writeTrace(path, (await resolveWorkload('stress:profile=mix,events=20000,threads=1', { seed: 1 })).events);
    const { task } = await load('lockstep');
    const keeper = createMachineKeeper();
    const run = { ...task, ...RUN, allocator: 'glibc' };
    const { result } = await runTask(run, { machine: { shape: shapeOf(run)!, keeper } });
    expect(result.samples.length).toBeGreaterThan(1);
    expect(keeper.look(shapeOf(run)!)).toBeUndefined();
    const { engine: _1, ...found } = (await runTask(run, { machine: { shape: shapeOf(run)!, keeper } })).result;
    const { engine: _2, ...own } = result;
    expect(found).toEqual(own);
  });

  it.runIf(CLI_BUILT)('does so in threads too', async () => {
    const { task } = await load('lockstep');
    const options = { load: async () => task, allocators: ['glibc', 'jemalloc', 'zendmm'] };
    const [there, here] = [await compare({ ...options, workers: 2 }), await compare({ ...options, workers: 1 })];
    expect(there.comparison).toEqual(here.comparison);
  });

  it.runIf(CLI_BUILT)(
    'gives long runs of a single worker threads of their own where no machine of their shape waits: the same results',
    async () => {
      await writeTrace(path, benchTrace('hit-dominated', 1.6e6, false)); // long in virtual time
      const { task } = await load('virtual');
      const { runs } = await compare({
        load: async () => task,
        allocators: ['glibc', 'jemalloc', 'zendmm', 'glibc'],
        workers: 1,
      });
      const [first, , , last] = runs.map(([run]) => ({ ...run!, engine: undefined }));
      expect(last).toEqual(first);
    },
  );

  it('sends its events to workers elsewhere, and needs all of them for recorded times', async () => {
    expect((await load('lockstep', { engine: 'redis://127.0.0.1' })).task.events?.length).toBe(80_000);
    expect((await load('virtual', { pace: 'recorded' })).task.events?.length).toBe(80_000);
  });

  it('names a finished run by what is in the file', async () => {
    const keyOf = async () => runKey(describeTask({ ...(await load('lockstep')).task, ...RUN }));
    const before = await keyOf();
    expect(await keyOf()).toBe(before);
    await writeTrace(path, benchTrace('hit-dominated', 80_000, false));
    expect(await keyOf()).not.toBe(before);
  });

  it('refuses another file in its place, and a damaged one', async () => {
    const { task } = await load('lockstep');
    const bytes = readFileSync(path);
    await writeTrace(path, benchTrace('hit-dominated', 80_000, false));
    await expect(runTask({ ...task, ...RUN })).rejects.toThrow(/found a file that changes, expected one that stays/);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await expect(runTask({ ...task, ...RUN })).rejects.toThrow(/trace\.htb: found a damaged column/);
  });
});
