import { UserError } from '../../../sim/contract/assert.ts';
import { columns, count, counted, duration, percent } from '../../../sim/contract/format.ts';
import { fitScalability, type ScalabilityFit, throughputAt } from '../../../sim/metrics/scalability.ts';
import { WORKLOADS } from '../../../workloads/index.ts';
import { escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, PLAIN } from '../../report/text/palette.ts';
import type { RunResult } from '../../run/result.ts';

export const SCALING_SCHEMA = 'allocsim-scaling-1';

/** One workload at several numbers of threads, and the law that the throughputs follow. */
export interface Scaling {
  readonly schema: typeof SCALING_SCHEMA;
  readonly workload: string;
  readonly allocator: string;
  readonly cpus: number;
  /** Which figures the times rest on; null where they were measured. */
  readonly times: string | null;
  /** Interrupted: only what had finished. */
  readonly partial: boolean;
  readonly points: readonly ScalingResult[];
  /** null where the points follow none. */
  readonly fit: ScalabilityFit | null;
  /** What the law says for numbers of threads that were not run: half as many again as the most, twice and four times. */
  readonly predictions: readonly { readonly threads: number; readonly throughput: number }[];
}

export interface ScalingResult {
  readonly threads: number;
  readonly virtualNs: number;
  /** Calls of malloc, free and the like in a second. */
  readonly throughput: number;
  /** Share of the acquisitions of locks that had to wait. */
  readonly contended: number;
  /** Share of the threads' time spent waiting for locks. */
  readonly waiting: number;
  readonly futexCalls: number;
  readonly rssPeakBytes: number;
}

/** `1,2,4,8` → ascending numbers of threads. */
export function parseThreadCounts(text: string): number[] {
  const counts = text.split(',').map(Number);
  for (const [i, n] of counts.entries()) {
    if (!Number.isInteger(n) || n < 1 || n > 4096) {
      throw new UserError(`--threads: found '${text.split(',')[i]}', expected numbers from 1 to 4096, as in 1,2,4,8`);
    }
  }
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** The workload with that many threads; a trace has the threads that it has. */
export function withThreads(workload: string, threads: number): string {
  const [name = '', parameters = ''] = workload.split(/:(.*)/s);
  const known = WORKLOADS.find((w) => w.name === name);
  if (!known?.parameters.some((parameter) => parameter.name === 'threads')) {
    const scalable = WORKLOADS.filter((w) => w.parameters.some((parameter) => parameter.name === 'threads'));
    throw new UserError(
      `--threads: '${workload}' has no parameter threads, expected one of ${scalable.map((w) => w.name).join(', ')}`,
    );
  }
  const others = parameters.split(',').filter((part) => part !== '' && !part.startsWith('threads='));
  return `${name}:${[...others, `threads=${threads}`].join(',')}`;
}

export function scalingPoint(threads: number, result: RunResult): ScalingResult {
  const { summary, locks, concurrency } = result;
  const calls = concurrency ? concurrency.allocations + concurrency.frees : 0;
  const acquisitions = locks.reduce((sum, lock) => sum + lock.acquisitions, 0);
  const contended = locks.reduce((sum, lock) => sum + lock.contended, 0);
  const waitNs = summary.waitNs ?? 0;
  return {
    threads,
    virtualNs: summary.virtualNs,
    throughput: summary.virtualNs === 0 ? 0 : (calls / summary.virtualNs) * 1e9,
    contended: acquisitions === 0 ? 0 : contended / acquisitions,
    waiting: waitNs === 0 ? 0 : waitNs / (waitNs + (summary.cpuNs ?? 0)),
    futexCalls: summary.syscalls.futex,
    rssPeakBytes: summary.rssPeakBytes,
  };
}

/** A law that explains so little is none; and with σ = 1 nothing is left that threads could do beside each other. */
const LEAST_R_SQUARED = 0.9;

const holds = ({ rSquared, contention }: ScalabilityFit): boolean => rSquared >= LEAST_R_SQUARED && contention < 1;

export function scalingOf(
  workload: string,
  allocator: string,
  cpus: number,
  points: readonly ScalingResult[],
  { partial = false, times = null }: { readonly partial?: boolean; readonly times?: string | null } = {},
): Scaling {
  const found = fitOf(points, cpus);
  const fit = found && holds(found) ? found : null;
  const most = points.at(-1)?.threads ?? 1;
  const predictions = fit
    ? [Math.ceil(most * 1.5), most * 2, most * 4]
        .filter((threads) => threads <= cpus)
        .map((threads) => ({ threads, throughput: throughputAt(fit, threads) }))
    : [];
  return { schema: SCALING_SCHEMA, workload, allocator, cpus, times, partial, points, fit, predictions };
}

/** The law has two parameters and a scale: through three points it always goes, and fits them whatever they are. */
const LEAST_POINTS = 4;

/** The law is about threads that each have a processor: where they share them, that decides. */
function fitOf(points: readonly ScalingResult[], cpus: number): ScalabilityFit | undefined {
  const own = points.filter(({ threads }) => threads <= cpus);
  return own.length < LEAST_POINTS ? undefined : fitScalability(own);
}

const BAR_WIDTH = 30;

/** The curve as a table with bars, and the law in words. */
export function scalingText({ workload, allocator, cpus, times, partial, points, fit, predictions }: Scaling): string {
  const most = Math.max(...points.map((point) => point.throughput), 1e-9);
  const rows = [
    ['threads', 'calls/s', 'law', 'virtual time', 'contended', 'waiting', 'futex calls', ''],
    ...points.map((p) => [
      count(p.threads),
      count(p.throughput),
      fit && p.threads <= cpus ? count(throughputAt(fit, p.threads)) : '-',
      duration(p.virtualNs),
      percent(p.contended),
      percent(p.waiting),
      count(p.futexCalls),
      '█'.repeat(Math.max(1, Math.round((p.throughput / most) * BAR_WIDTH))),
    ]),
    ...predictions.map((p) => [count(p.threads), '', count(p.throughput), '', '', '', '', 'not run']),
  ];
  const lines = [
    `${escapeLineStart(workload)} under ${allocator} on ${cpus} processors${interruptedMark(partial, PLAIN)}`,
    ...(times === null ? [] : [escapeLineStart(times)]),
    '',
    ...columns(rows, 'rrrrrrrl'),
    '',
  ];
  lines.push(...lawText(fit, points, cpus), ...peakText(fit, points, cpus));
  return `${lines.join('\n')}\n`;
}

function lawText(fit: ScalabilityFit | null, points: readonly ScalingResult[], cpus: number): string[] {
  if (fit) {
    return [
      `Universal Scalability Law: one thread ${count(fit.perThread)} calls/s, ${percent(fit.contention)} of it what one does at a time ` +
        `(locks, and starting the others), ${(fit.coherence * 100).toPrecision(2)} % for each other thread, R² ${fit.rSquared.toFixed(3)}`,
    ];
  }
  const found = fitOf(points, cpus);
  if (!found) {
    return [
      `Too few points for the Universal Scalability Law: it takes four, of threads that each have one of the ${counted(cpus, 'processor')}.`,
    ];
  }
  return [
    `The points do not follow the Universal Scalability Law (R² ${found.rSquared.toFixed(2)}, σ ${percent(found.contention)}).`,
  ];
}

const threadsOf = ({ threads }: ScalingResult): string => counted(threads, 'thread');

/** What the points say, and the law only where it says the same. */
function peakText(fit: ScalabilityFit | null, points: readonly ScalingResult[], cpus: number): string[] {
  if (points.length < 2) return [];
  const best = points.reduce((most, point) => (point.throughput > most.throughput ? point : most));
  if (best !== points.at(-1)) return [`Most was done with ${threadsOf(best)}; more of them got less done.`];
  const grows = points.every((point, i) => i === 0 || point.throughput >= points[i - 1]!.throughput);
  if (!grows) return [`Most was done with ${threadsOf(best)}, though not each step up got more done.`];
  const peak = fit?.peakThreads ?? null;
  if (peak !== null && peak > best.threads && peak <= cpus) {
    return [`More threads got more done; by the law that ends at ${count(peak)}.`];
  }
  return ['More threads got more done each time.'];
}
