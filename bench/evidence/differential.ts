import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count } from '../../sim/contract/format.ts';
import { STRESS_PROFILES } from '../../workloads/generators/stress-profiles.ts';
import type { Verification } from './verify/verify.ts';

/*
 * npm run differential [-- --shared DIR] [--only TEXT] [--seeds N]
 *
 * `sim verify` over every shared trace that is there, the built-in workloads, and random programs of several seeds, for
 * each model that claims to be exact. A line for each; exit 1 at any difference.
 */

/** Models that claim every placement, number and system call of the real one. */
const EXACT = ['glibc', 'jemalloc'];
/** Settings under which random programs are compared too. */
const VARIANTS = [
  'glibc:tcache_count=0',
  'glibc:arena_max=2,mxfast=0',
  'glibc:mmap_threshold=65536,trim_threshold=65536,top_pad=0',
  'glibc:hugetlb=2',
  'jemalloc:tcache=false',
  'jemalloc:narenas=1,dirty_decay_ms=0',
  'jemalloc:retain=false,muzzy_decay_ms=10000',
  'jemalloc:dss=primary',
];
/** Where a block takes megabytes, fewer of them tell as much. */
const EVENTS: Readonly<Record<string, number>> = { mmap: 2500 };
const WORKLOADS = [
  'lanczos-32t:width=480,height=270,sizes=400x300+800x600',
  'larson:threads=4,rounds=2',
  'xmalloc-test',
  'rows',
];

interface Task {
  readonly workload: string;
  readonly allocator: string;
}
interface Outcome {
  readonly task: Task;
  readonly verification: Verification | undefined;
  /** Why there is none. */
  readonly failure: string;
  readonly seconds: number;
}

function sharedTraces(shared: string): string[] {
  return ['synthetic', 'real', 'zend'].flatMap((folder) => {
    const path = join(shared, 'traces', folder);
    if (!existsSync(path)) return [];
    return readdirSync(path)
      .filter((name) => /\.htrace(\.gz)?$/.test(name))
      .sort()
      .map((name) => join(path, name));
  });
}

function tasks(shared: string, seeds: number): Task[] {
  const seedList = Array.from({ length: seeds }, (_, i) => i + 1);
  const stress = Object.keys(STRESS_PROFILES).flatMap((profile) =>
    seedList.map((seed) => {
      const events = EVENTS[profile] ?? 12000;
      return `stress:profile=${profile},events=${events},seed=${seed},threads=${seed % 2 === 0 ? 12 : 4}`;
    }),
  );
  const variants = VARIANTS.flatMap((allocator) =>
    ['mix', 'exits'].map((profile) => ({ workload: `stress:profile=${profile},events=12000,seed=100`, allocator })),
  );
  const all = [...sharedTraces(shared), ...WORKLOADS, ...stress];
  return [...EXACT.flatMap((allocator) => all.map((workload) => ({ workload, allocator }))), ...variants];
}

/** Each comparison in a process of its own: a model's call sites see one model, and its memory goes with it. */
function run(task: Task): Promise<Outcome> {
  const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
  const started = performance.now();
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [cli, 'verify', task.workload, '--allocator', task.allocator, '--json'],
      { maxBuffer: 1 << 28 },
      (_error, stdout, stderr) => {
        const verification = stdout.startsWith('{') ? (JSON.parse(stdout) as Verification) : undefined;
        const failure = stderr.trim().split('\n')[0] ?? '';
        resolve({ task, verification, failure, seconds: (performance.now() - started) / 1000 });
      },
    );
  });
}

function outcomeCells({ task, verification: v, failure, seconds }: Outcome): string[] {
  const name = task.workload.includes('/') ? basename(task.workload) : task.workload;
  const result = v?.passed ? 'same' : v ? 'DIFFERS' : 'FAILED';
  if (!v) return [result, task.allocator, name, failure];
  const { placements, samples, syscalls } = v;
  return [
    result,
    task.allocator,
    name,
    `${count(placements.identical)}/${count(placements.total)} identical`,
    `${samples.equal}/${samples.total} samples`,
    'leftOut' in syscalls ? 'no strace' : `${count(syscalls.equal)}/${count(syscalls.total)} calls`,
    `${seconds.toFixed(1)} s`,
  ];
}

/** A comparison that differs may not differ a second time: what differed first is kept. */
function firstDifferences(v: Verification | undefined): string[] {
  if (!v || v.passed) return [];
  const call = 'leftOut' in v.syscalls ? undefined : v.syscalls.first;
  return [v.placements.first[0], v.samples.first[0], call]
    .filter((difference) => difference !== undefined)
    .map((difference) => `        ${JSON.stringify(difference)}\n`);
}

const WIDTHS = [7, 24, 40, 28, 16, 18, 7];
const lineOf = (cells: readonly string[]) =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i]!))
    .join(' ')
    .trimEnd();

/** As many at a time as there are processors; returns how many are not the same. */
async function compareAll(queue: Task[]): Promise<number> {
  let differing = 0;
  const work = async () => {
    for (let task = queue.shift(); task; task = queue.shift()) {
      const outcome = await run(task);
      if (!outcome.verification?.passed) differing++;
      process.stdout.write(`${lineOf(outcomeCells(outcome))}\n${firstDifferences(outcome.verification).join('')}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return differing;
}

const { values } = parseArgs({
  options: {
    shared: { type: 'string', default: fileURLToPath(new URL('../../../../shared', import.meta.url)) },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2' },
  },
});
const started = performance.now();
const queue = tasks(values.shared, Number(values.seeds)).filter((task) =>
  `${task.allocator} ${task.workload}`.includes(values.only),
);
const total = queue.length;
const differing = await compareAll(queue);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
process.stdout.write(
  `${total - differing} of ${total} comparisons are the same in every placement, number and call, ${seconds} s\n`,
);
if (differing > 0) process.exitCode = 1;
