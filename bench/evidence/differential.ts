import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count } from '../../sim/contract/format.ts';
import { STRESS_PROFILES } from '../../workloads/generators/stress-profiles.ts';
import type { Verification } from './verify/verify.ts';
import type { VerifyAnswer, VerifyTask } from './verify-process.ts';

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

interface Outcome extends VerifyAnswer {
  readonly task: VerifyTask;
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

function tasks(shared: string, seeds: number): VerifyTask[] {
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

const WORKERS = availableParallelism();
const PROCESS = fileURLToPath(new URL('./verify-process.js', import.meta.url));

/** A process that ends without an answer has failed at what it was asked. */
function ask(child: ChildProcess, task: VerifyTask): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const finish = (answer: VerifyAnswer) => {
      child.removeAllListeners();
      resolve({ task, ...answer, seconds: (performance.now() - started) / 1000 });
    };
    child.once('message', finish);
    child.once('exit', (code, signal) => finish({ verification: undefined, failure: `ended with ${code ?? signal}` }));
    child.send(task);
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

const modelOf = ({ allocator }: VerifyTask) => allocator.split(':', 1)[0];

/**
 * As many at a time as there are processors; returns how many are not the same. A process sees one model alone, as a command does: its
 * call sites are compiled for that one. Each worker begins with another model, and helps out where its own is done.
 */
async function compareAll(queue: VerifyTask[]): Promise<number> {
  let differing = 0;
  async function work(model: string | undefined): Promise<void> {
    let child: ChildProcess | undefined;
    while (queue.length > 0) {
      const own = queue.findIndex((task) => modelOf(task) === model);
      if (own < 0) {
        child?.disconnect();
        child = undefined;
      }
      const [task] = queue.splice(Math.max(own, 0), 1);
      model = modelOf(task!);
      if (!child?.connected) child = fork(PROCESS);
      const outcome = await ask(child, task!);
      if (!outcome.verification?.passed) differing++;
      process.stdout.write(`${lineOf(outcomeCells(outcome))}\n${firstDifferences(outcome.verification).join('')}`);
    }
    child?.disconnect();
  }
  await Promise.all(Array.from({ length: WORKERS }, (_, i) => work(EXACT[i % EXACT.length])));
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
