import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FuzzTask, Report, Slowest } from './task.ts';
import { timeLimitMs } from './time-limit.ts';

const LOOK_MS = 100;
/** To load everything, times the limit of one input. */
const START_SHARE = 2.5;
/** An input alone, whose code is not compiled, times its limit: what comes to no end in that time is looked at no longer. */
const ALONE_SHARE = 10;
const WAIT_MS = 120_000;
/** Of /proc/PID/stat: USER_HZ. */
const TICK_MS = 10;
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

export interface Fault {
  readonly what: string;
  readonly file: Uint8Array;
}

/** An input that went beyond its time among others, and what it takes alone: the least of a few times. */
export interface LookedAt {
  readonly number: number;
  readonly aloneMs: number;
}

export interface Outcome {
  readonly done: number;
  readonly peakBytes: number;
  readonly slowest: Slowest;
  readonly lookedAt: readonly LookedAt[];
  readonly fault?: Fault;
}

const running = new Set<ChildProcess>();

/** An input may keep a process from hearing anything else. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Processor time that a process has had, user and system. */
function processorMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0; // it has ended
  }
}

interface Ended {
  readonly reports: readonly Report[];
  readonly next: Extract<Report, { kind: 'next' }> | undefined;
  /** How it ended, where not by itself. */
  readonly end: string | undefined;
  readonly isKilled: boolean;
}

/** A process that is ended when one input takes too long. What it holds is its own, and it can be ended at any moment. */
function execute(task: FuzzTask, limitMs: number): Promise<Ended> {
  const child = fork(WORKER, [JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // glibc would raise the threshold by itself, and keep what ended inputs had between small blocks in its heap.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072' },
  });
  running.add(child);
  return new Promise((resolve) => {
    const reports: Report[] = [];
    let next: Ended['next'];
    let heardAt = performance.now();
    let heardAtMs = limitMs * START_SHARE; // of its processor time
    let isKilled = false;
    const watch = setInterval(() => {
      const last = reports.at(-1)?.kind;
      if (last === 'passed' || last === 'failed') return;
      const isLate = processorMs(child.pid!) - heardAtMs > limitMs + (next?.allowanceMs ?? 0);
      if (!isLate && performance.now() - heardAt <= WAIT_MS) return;
      isKilled = true;
      child.kill('SIGKILL');
    }, LOOK_MS);
    child.on('message', (report: Report) => {
      heardAt = performance.now();
      heardAtMs = processorMs(child.pid!);
      if (report.kind === 'next') next = report;
      else reports.push(report);
    });
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      running.delete(child);
      resolve({ reports, next, end: code === 0 ? undefined : `${signal ?? code}`, isKilled });
    });
  });
}

/** What the next input of the task takes alone, the least of its times; Infinity where it does not end. */
async function costAlone(task: FuzzTask): Promise<number> {
  const { reports } = await execute({ ...task, isAlone: true }, (await timeLimitMs()) * ALONE_SHARE);
  const costs = reports.flatMap((report) => (report.kind === 'cost' ? [report.processorMs - report.allowanceMs] : []));
  return Math.min(Infinity, ...costs);
}

const fileOf = ({ current }: FuzzTask) => (existsSync(current) ? readFileSync(current) : Buffer.alloc(0));

/** Runs all inputs of a batch, in as many processes as it takes. What is slow among others counts when it is slow alone. */
export async function runBatch(batch: FuzzTask, limitMs: number): Promise<Outcome> {
  const lookedAt: LookedAt[] = [];
  for (let task = batch; ; ) {
    const { reports, next, end, isKilled } = await execute(task, limitMs);
    const last = reports.at(-1);
    const file = fileOf(task);
    rmSync(task.current, { force: true });
    const done = last?.kind === 'passed' ? batch.inputs : Math.min(next?.number ?? task.next, batch.inputs);
    const common = { done, peakBytes: 0, slowest: { number: 0, processorMs: 0 }, lookedAt };
    if (last?.kind === 'passed') return { ...common, peakBytes: last.peakBytes, slowest: last.slowest };
    if (last?.kind === 'failed')
      return { ...common, fault: { what: `input ${done}, path ${last.path}\n${last.error}`, file } };
    if (last?.kind === 'fails') return { ...common, fault: { what: `input ${done}, not shrunk\n${last.error}`, file } };
    if (!isKilled || next === undefined) {
      return { ...common, fault: { what: `input ${done}\nthe process ended with ${end}`, file } };
    }
    const aloneMs = await costAlone({ ...task, next: next.number });
    const aloneLimitMs = await timeLimitMs();
    if (aloneMs > aloneLimitMs) {
      const ms = (value: number) => (value === Infinity ? 'no end' : `${value.toFixed(0)} ms`);
      return {
        ...common,
        fault: { what: `input ${done}\nslow: alone ${ms(aloneMs)}, of ${ms(aloneLimitMs)}`, file },
      };
    }
    lookedAt.push({ number: next.number, aloneMs });
    task = { ...task, next: next.number + 1 };
  }
}
