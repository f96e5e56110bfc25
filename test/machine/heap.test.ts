import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { heapProgram } from '../../bench/run/heap-program.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { loadMachinePrograms } from '../../bench/study/machine/machine-programs.ts';
import { Heap } from '../../machine/heap/heap.ts';
import { smapsRollup } from '../../machine/kernel/smaps.ts';
import { MachineRun } from '../../machine/script/machine-run.ts';
import { runMachineScript } from '../../machine/script/run.ts';
import { startWorker } from '../../machine/script/worker-image.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const WORKLOADS = ['stress:events=10000,seed=3', 'php-repeat', 'server:requests=20'];
const ALLOCATORS = ['glibc', 'glibc@2.31', 'jemalloc', 'jemalloc:narenas=1', 'zendmm+glibc', 'zendmm@5.6+jemalloc'];

const machineOf = (thp: 'never' | 'always' = 'never') =>
  new MachineRun({ memoryMb: 16384, thp, processors: 1, kernel: '6.1' }, 'test', () => {});

async function programOf(workload: string, allocator: string) {
  const { events, cpus = 2 } = await resolveWorkload(workload);
  const spec = parseAllocator(allocator, cpus);
  return { workload, allocator, events, spec, cpus };
}

const CASES = [
  ...WORKLOADS.flatMap((workload) => ALLOCATORS.map((allocator) => ({ workload, allocator, thp: 'never' as const }))),
  { workload: 'stress:events=50000,seed=1', allocator: 'glibc', thp: 'always' as const },
  { workload: 'stress:events=20000,seed=2', allocator: 'jemalloc', thp: 'always' as const },
  { workload: 'php-repeat', allocator: 'zendmm+glibc', thp: 'always' as const },
];

test.each(CASES)(
  '$workload under $allocator, huge pages $thp: the same process as alone',
  async ({ workload, allocator, thp }) => {
    const options = await programOf(workload, allocator);
    const alone = await runLockstep({ ...options, kernel: { version: '6.1', thp } });
    const run = machineOf(thp);
    const task = startWorker(run.k, run.image, 'p1');
    const before = smapsRollup(run.k, task)['Rss']!;
    const tablesBefore = task.mm.tableBytes;
    const heap = new Heap(run.k, task, heapProgram(options));
    expect(heap.advance()).toBe('there');
    const { kernel } = heap.parts.machine;
    const { residency } = kernel;
    expect({
      faults: residency.faults(),
      hugeFaults: residency.hugeFaults(),
      rss: residency.residentPages() * 4096,
      peak: residency.residentPeakPages() * 4096,
      vsz: kernel.mappedPages() * 4096,
      failed: heap.failedAllocations,
      stats: heap.parts.top.stats(),
    }).toEqual({
      faults: alone.summary.faults,
      hugeFaults: alone.summary.hugeFaults,
      rss: alone.summary.rssBytes,
      peak: alone.summary.rssPeakBytes,
      vsz: alone.summary.vszBytes,
      failed: alone.summary.failedAllocations,
      stats: alone.stats,
    });
    const rollup = smapsRollup(run.k, task);
    const kb = residency.residentPages() * 4;
    expect(rollup['Rss']! - before).toBe(kb);
    expect(rollup['AnonHugePages'] ?? 0).toBe(residency.hugePages() * 2048);
    // A table for every 2 MiB touched, at least.
    expect(task.mm.tableBytes - tablesBefore).toBeGreaterThanOrEqual(Math.floor(kb / 2048) * 4096);
  },
);

const scripted = async (text: string) => runMachineScript(text, { program: await loadMachinePrograms(text, 'script') });
const stepsOf = (run: MachineRun) => run.lines.filter(({ t }) => t === 'step') as unknown as Step[];
interface Step {
  readonly cmd: string;
  readonly state?: string;
  readonly ret: number;
  readonly err?: string;
  readonly heap?: { readonly events: number; readonly faults: number; readonly rss_kb: number };
}

test('a run goes on where it stopped, at an event or a sample point', async () => {
  const run = await scripted(
    'new p1 p2\np1 run php-repeat until 500\np1 run php-repeat until 2\np1 run php-repeat\np2 run php-repeat\np2 run php-repeat under jemalloc\n',
  );
  const [, first, again, rest, whole, other] = stepsOf(run);
  expect(first!.ret).toBe(500);
  expect(again!.ret).toBe(500);
  expect(rest!.heap).toEqual(whole!.heap);
  expect(other!.err).toBe('EBUSY');
});

test('a fork has a copy of the heap, and each goes its own way', async () => {
  const run = await scripted(
    'new p1\np1 run stress:events=20000,seed=5 under jemalloc until 10000\np1 fork p2\nsample forked\n' +
      'p2 run stress:events=20000,seed=5 under jemalloc\np1 run stress:events=20000,seed=5 under jemalloc\nsample end\n',
  );
  const own = await scripted('new p1\np1 run stress:events=20000,seed=5 under jemalloc\n');
  const steps = stepsOf(run);
  const alone = stepsOf(own)[1]!.heap!;
  for (const step of steps.slice(-2)) expect(step.heap!.rss_kb).toBe(alone.rss_kb);
  const rollups = run.lines.filter(({ t, label }) => t === 'proc' && label === 'forked') as unknown as {
    rollup: Record<string, number>;
  }[];
  const [parent, child] = rollups.map(({ rollup }) => rollup);
  expect(child!['Shared_Dirty']).toBeGreaterThan(child!['Rss']! / 2);
  expect(parent!['Private_Dirty'] ?? 0).toBeLessThan(parent!['Rss']! / 2);
});

test('a group ends the process in the middle of its workload, and memory.high makes it sleep', async () => {
  const run = await scripted(
    'new p1 p2\ncgroup c max=8M\ncgroup h high=8M\np1 into c\np2 into h\np1 run stress:events=50000,seed=1 under glibc\n' +
      'async p2 run stress:events=50000,seed=1 under glibc\nsleep 2000\nsample end\n',
  );
  expect(run.lines.find(({ t }) => t === 'death')).toMatchObject({ p: 'p1', signal: 9 });
  const step = stepsOf(run).find(({ cmd }) => cmd.startsWith('p1 run'))!;
  expect(step.state).toBe('died');
  const { heap, task } = run.process('p2')!;
  expect(heap!.events).toBeGreaterThan(1000);
  expect(heap!.done).toBe(false);
  expect(task.group.usage).toBeGreaterThan(2048);
  expect(run.lines.find(({ t, cg }) => t === 'cgroup' && cg === 'c')).toMatchObject({ events: { oom_kill: 1 } });
});

test('a heap in the background takes its time: beside another it is as far as that at a sample, and both end as alone', async () => {
  const workload = 'stress:events=50000,seed=1 under glibc';
  const run = await scripted(
    `new p1 p2\nasync p1 run ${workload}\nasync p2 run ${workload}\nsleep 20\nsample half\nwait p1\nwait p2\n`,
  );
  const rss = run.lines
    .filter(({ t, label }) => t === 'proc' && label === 'half')
    .map((line) => (line as unknown as { rollup: { Rss: number } }).rollup.Rss);
  const ended = stepsOf(run).filter(({ state }) => state === 'done');
  const [alone] = stepsOf(await scripted(`new p1\np1 run ${workload}\n`)).slice(-1);
  expect(ended.map(({ heap }) => heap)).toEqual([alone!.heap, alone!.heap]);
  for (const kb of rss) {
    expect(kb).toBeGreaterThan(alone!.heap!.rss_kb / 10);
    expect(kb).toBeLessThan((alone!.heap!.rss_kb * 9) / 10);
  }
});

test('swap takes pages of a heap, which fault again when they are used', async () => {
  const text = (swap: string) =>
    `#! -m 576 --thp never\nnew p1 p2\n${swap}p1 run stress:events=20000,seed=1 under glibc until 10000\np2 mmap A 420M private\np2 touch A 0 420M\nsample full\np2 exit\np1 run stress:events=20000,seed=1 under glibc\n`;
  const run = await scripted(text('swap 512M\n'));
  const alone = stepsOf(await scripted(text(''))).at(-1)!.heap!;
  const { heap, task } = run.process('p1')!;
  expect(heap!.done).toBe(true);
  expect(run.k.vmstat.pswpout).toBeGreaterThan(1000);
  expect(heap!.memory.faults()).toBeGreaterThan(alone.faults + 100);
  expect(heap!.memory.residentIn(0, 2 ** 23) + task.mm.rss[2]).toBeGreaterThanOrEqual(alone.rss_kb / 4);
});

test.each([
  ['p1 run', /run: expected a word as word 1/],
  ['p1 run rows over glibc', /found 'over', expected under WORD, until WORD/],
  ['p1 run rows under', /expected a word after under/],
  ['p1 run rows under glibc under glibc', /found 'under', expected until WORD/],
  ['p1 run nothing', /script:2: run: found workload 'nothing'/],
  ['p1 run rows under nix', /script:2: run: /],
])('%s: refused with its line', async (line, message) => {
  await expect(scripted(`new p1\n${line}\n`)).rejects.toThrow(message);
});

test('a heap in a full group of which nobody may be killed ends the run with one line, where the real one would try for ever', async () => {
  const text =
    'cgroup c max=2M\nnew p1\np1 into c\np1 oom_score_adj -1000\np1 run stress:events=20000,seed=1 under glibc\n';
  await expect(scripted(text)).rejects.toThrow('p1: found no memory for a page and nobody who may be killed');
});
