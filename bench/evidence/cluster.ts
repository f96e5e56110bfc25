import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { VERSION } from '../run/version.ts';
import { median } from './median.ts';

/*
 * npm run cluster [-- --port 7700] > docs/results/cluster.md
 *
 * What a queue costs: a Redis server of its own and workers on this machine. Ratios are of runs in turn, A B A B.
 */

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
/** A run of about a second of a processor, one of a second that waits and needs none, and one of almost nothing. */
const LONG = 'lanczos-im6';
const WAITING = 'waiting';
const SHORT = 'rows:threads=1,rounds=1';
const PAIRS = 3;
const LONG_RUNS = 6;
const WAITING_RUNS = 16;
const SHORT_RUNS = 200;

/** The workload that waits: on a machine with other work it tells the queue's part from the processors'. */
const PLUGIN = `
import { WORKLOADS } from '${new URL('../index.js', import.meta.url)}';
const rows = WORKLOADS.find(({ name }) => name === 'rows');
const generate = (values) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  return rows.generate({ ...values, threads: 1, rounds: 1 });
};
export default { workloads: [{ ...rows, name: '${WAITING}', generate }] };
`;

const { values } = parseArgs({ options: { port: { type: 'string', default: '7700' } } });
const url = `redis://127.0.0.1:${values.port}`;
const folder = mkdtempSync(join(tmpdir(), 'allocsim-cluster-'));
const plugin = join(folder, 'waiting.mjs');
writeFileSync(plugin, PLUGIN);
const environment = { ...process.env, XDG_CACHE_HOME: folder };
const children: ChildProcess[] = [];

const redis = (...args: string[]): string =>
  execFileSync('redis-cli', ['-p', values.port, ...args], { encoding: 'utf8' }).trim();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ready when it says so. */
async function startWorker(): Promise<ChildProcess> {
  const worker = spawn(process.execPath, [CLI, 'worker', '--engine', url, '--concurrency', '1', '--plugin', plugin], {
    env: environment,
  });
  children.push(worker);
  await new Promise<void>((resolve) =>
    worker.stderr!.on('data', (text) => /takes runs/.test(String(text)) && resolve()),
  );
  return worker;
}

/** Clock ticks a second of /proc/PID/stat on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const TICKS = 100;

/** Processor time so far of the workers and of the processes that they started, seconds. */
function workerCpu(workers: readonly ChildProcess[]): number {
  const stats = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      // Behind the name: state, ppid, …; utime, stime, cutime, cstime are the 12th to the 15th.
      return [
        {
          pid: Number(name),
          parent: Number(words[1]),
          ticks: words.slice(11, 15).reduce((sum, n) => sum + Number(n), 0),
        },
      ];
    } catch {
      return []; // it has ended
    }
  });
  const own = workers.map(({ pid }) => pid!);
  const ticks = stats.filter(({ pid, parent }) => own.includes(pid) || own.includes(parent)).map((stat) => stat.ticks);
  return ticks.reduce((sum, n) => sum + n, 0) / TICKS;
}

/** A sweep's wall time, and how much of a processor each worker had meanwhile. */
interface Measured {
  readonly seconds: number;
  readonly share: number;
}

function withShare(workers: readonly ChildProcess[], command: () => number): Measured {
  const before = workerCpu(workers);
  const taken = command();
  return { seconds: taken, share: (workerCpu(workers) - before) / taken / workers.length };
}

/** Seconds that the command takes. */
function seconds(args: readonly string[]): number {
  const started = performance.now();
  execFileSync(process.execPath, [CLI, ...args], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  return (performance.now() - started) / 1000;
}

let seed = 0;
/** Each with seeds of its own: a worker keeps the events that it has generated. */
function sweep(workload: string, seeds: number, ...more: string[]): number {
  const args = ['sweep', workload, `--seeds=${seeds}`, `--seed=${seed}`, '--plugin', plugin, ...more];
  seed += seeds;
  return seconds(args);
}

async function measure(): Promise<void> {
  const first = await startWorker();
  sweep(LONG, 2, '--engine', url); // its process is warm
  const alone: number[] = [];
  const overheadMs: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const queued = sweep(SHORT, SHORT_RUNS, '--engine', url) - sweep(SHORT, 1, '--engine', url);
    const here = sweep(SHORT, SHORT_RUNS, '--workers=1') - sweep(SHORT, 1, '--workers=1');
    overheadMs.push(((queued - here) * 1000) / (SHORT_RUNS - 1));
  }
  const one: Measured[] = [];
  const two: Measured[] = [];
  const waitingOne: number[] = [];
  const waitingTwo: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    one.push(withShare([first], () => sweep(LONG, LONG_RUNS, '--engine', url)));
    waitingOne.push(sweep(WAITING, WAITING_RUNS, '--engine', url));
    alone.push(sweep(LONG, LONG_RUNS, '--workers=1'));
    const second = await startWorker();
    sweep(WAITING, 4, '--engine', url); // its process is warm too
    two.push(withShare([first, second], () => sweep(LONG, LONG_RUNS, '--engine', url)));
    waitingTwo.push(sweep(WAITING, WAITING_RUNS, '--engine', url));
    second.kill('SIGTERM');
    await sleep(1500);
  }
  first.kill('SIGTERM');
  const results = Number(redis('eval', "return #redis.call('keys', '*:result:*')", '0'));
  const memory = Number(/used_memory:(\d+)/.exec(redis('info', 'memory'))![1]);
  const ratios = (before: readonly number[], after: readonly number[]) =>
    before.map((time, i) => (time / after[i]!).toFixed(2)).join(', ');
  const secondsOf = (list: readonly Measured[]) => list.map((measured) => measured.seconds);
  const shares = (list: readonly Measured[]) => list.map(({ share }) => share.toFixed(2)).join(', ');
  const rows = [
    ['overhead of a run behind the queue, over one in this process', `${median(overheadMs).toFixed(1)} ms`],
    [`a run of ${LONG}, one worker`, `${(median(secondsOf(one)) / LONG_RUNS).toFixed(2)} s`],
    [`the same on one thread of the command`, `${(median(alone) / LONG_RUNS).toFixed(2)} s`],
    ['throughput of two workers over one, these runs', ratios(secondsOf(one), secondsOf(two))],
    ['of a processor each worker had meanwhile, one worker; two', `${shares(one)}; ${shares(two)}`],
    ['throughput of two workers over one, runs that wait for a second', ratios(waitingOne, waitingTwo)],
    ['memory of the server for a finished run', `${(memory / results / 1024).toFixed(1)} KiB`],
  ];
  console.log('# What a queue costs\n');
  console.log(
    `\`npm run cluster\`, allocsim ${VERSION}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]!.model.trim()},`,
  );
  console.log(
    `${redis('info', 'server').match(/redis_version:(\S+)/)![1]} of Redis on the same machine; medians of ${PAIRS}, runs in turn.\n`,
  );
  console.log('| | |\n| --- | --- |');
  for (const [what, value] of rows) console.log(`| ${what} | ${value} |`);
}

children.push(
  spawn('redis-server', ['--port', values.port, '--dir', folder, '--save', '', '--appendonly', 'yes'], {
    stdio: 'ignore',
  }),
);
try {
  await sleep(1000);
  await measure();
} finally {
  for (const child of children) child.kill();
  await sleep(500);
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
