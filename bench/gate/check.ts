import { UserError } from '../../sim/contract/assert.ts';
import { METRICS } from '../metrics/index.ts';
import type { Metric } from '../metrics/metric.ts';
import { isBelow, type Spread, spreadOf } from '../metrics/statistics.ts';
import type { RunResult } from '../run/result.ts';
import { GATE_SCHEMA, type GateConfig } from '../schema/gate.ts';
import { groupByRun, runKey } from './run-key.ts';
import { type Allowance, thresholdsFor, unmatchedOverrides } from './thresholds.ts';

/** What is checked where no configuration says otherwise: results are deterministic, so nothing may become worse. */
export const GATE_DEFAULTS: GateConfig = {
  thresholds: {
    rssPeakBytes: {},
    rssBytes: {},
    retainedBytes: {},
    faults: {},
    syscalls: {},
    lockWaitNs: {},
    failedAllocations: {},
  },
};

export type GateStatus = 'ok' | 'improved' | 'regressed' | 'over the limit' | 'missing' | 'new';

/** One metric of one experiment. */
export interface GateCheck {
  readonly run: string;
  readonly workload: string;
  readonly allocator: string;
  readonly metric: string;
  readonly unit: Metric['unit'];
  /** Medians over the seeds. */
  readonly base: number | null;
  readonly head: number | null;
  /** head - base. */
  readonly change: number | null;
  /** The change for the worse that the threshold allows. */
  readonly allowed: number | null;
  readonly limit: number | null;
  readonly status: GateStatus;
}

export interface GateResult {
  readonly schema: typeof GATE_SCHEMA;
  readonly passed: boolean;
  /** The suite was interrupted: only what had finished was checked. */
  readonly partial: boolean;
  /** There is no base: nothing was compared, and only limits were checked. */
  readonly first: boolean;
  /** Overrides of the configuration that are for none of the runs. */
  readonly unmatched: readonly string[];
  readonly checks: readonly GateCheck[];
}

const FAILING: ReadonlySet<GateStatus> = new Set(['regressed', 'over the limit', 'missing']);

export function isFailing(check: GateCheck): boolean {
  return FAILING.has(check.status);
}

/** What has become better: a base that is renewed keeps it so. */
export const improvedText = ({ checks }: GateResult): string => {
  const improved = checks.filter(({ status }) => status === 'improved').length;
  return improved > 0 ? `, ${improved} improved` : '';
};

/** Holds `head` against `base`. Runs are matched by what was run (runKey); without a base only limits are checked. */
export function checkGate(
  base: readonly RunResult[] | undefined,
  head: readonly RunResult[],
  config: GateConfig = GATE_DEFAULTS,
): GateResult {
  refusePartial(head, 'head');
  if (base) refusePartial(base, 'base');
  const before = byKey(base ?? []);
  const after = byKey(head);
  if (before.size > 0 && after.size > 0 && ![...after.keys()].some((key) => before.has(key)))
    throw new UserError(
      `base and head have no run in common: found ${[...before.keys()][0]} and ${[...after.keys()][0]}, expected results of the same runs`,
    );
  const checks: GateCheck[] = [];
  for (const [key, runs] of after) checks.push(...checkRun(key, before.get(key), runs, config));
  for (const [key, runs] of before) if (!after.has(key)) checks.push(absent(key, runs[0]!));
  if (head.length > 0 && checks.length === 0)
    throw new UserError('found no threshold of a figure that these runs have: nothing is checked');
  return {
    schema: GATE_SCHEMA,
    passed: !checks.some(isFailing),
    partial: false,
    first: base === undefined,
    unmatched: unmatchedOverrides(
      config,
      head.map(({ run }) => run),
    ),
    checks,
  };
}

/** The same of a suite that was interrupted: what had not finished is no fault. */
export function checkGateInPart(
  base: readonly RunResult[] | undefined,
  head: readonly RunResult[],
  config: GateConfig = GATE_DEFAULTS,
): GateResult {
  const finished = new Set(head.map(({ run }) => runKey(run)));
  const before = base?.filter(({ run }) => finished.has(runKey(run)));
  return { ...checkGate(before, head, config), partial: true, unmatched: [] };
}

function refusePartial(runs: readonly RunResult[], side: string): void {
  const partial = runs.find((r) => r.partial);
  if (partial) throw new UserError(`${side}: found an interrupted run (${runKey(partial.run)}), expected whole ones`);
}

function byKey(results: readonly RunResult[]): Map<string, RunResult[]> {
  const groups = groupByRun(results);
  for (const [key, runs] of groups) {
    const seeds = runs.map((r) => r.run.seed);
    const twice = seeds.find((seed, i) => seeds.indexOf(seed) !== i);
    if (twice !== undefined) {
      throw new UserError(`found two results of one run (${key}, seed ${twice}), expected one`);
    }
  }
  return groups;
}

function checkRun(
  key: string,
  base: readonly RunResult[] | undefined,
  head: readonly RunResult[],
  config: GateConfig,
): GateCheck[] {
  const { workload, allocator } = head[0]!.run;
  const thresholds = thresholdsFor(config, head[0]!.run);
  const checks: GateCheck[] = [];
  for (const metric of METRICS) {
    const threshold = thresholds.get(metric.name);
    if (!threshold) continue;
    const now = valuesOf(metric, head);
    const then = base && valuesOf(metric, base);
    if (!now && !then) continue;
    checks.push({
      run: key,
      workload,
      allocator,
      metric: metric.name,
      unit: metric.unit,
      ...judge(metric, threshold, then, now),
    });
  }
  const aborted = head.find((r) => r.abort)?.abort;
  if (aborted && !base?.some((r) => r.abort)) {
    checks.push({ ...nothing(key, head[0]!, `abort: ${aborted.message}`), head: 1, base: 0, status: 'regressed' });
  }
  return checks;
}

function valuesOf(metric: Metric, runs: readonly RunResult[]): Spread | undefined {
  const values = runs.map(metric.of).filter((v) => v !== null);
  return values.length > 0 ? spreadOf(values) : undefined;
}

function judge(
  metric: Metric,
  threshold: Allowance,
  base: Spread | undefined,
  head: Spread | undefined,
): Pick<GateCheck, 'base' | 'head' | 'change' | 'allowed' | 'limit' | 'status'> {
  const limit = threshold.limit ?? null;
  const figures = { base: base?.median ?? null, head: head?.median ?? null, change: null, allowed: null, limit };
  if (!head) return { ...figures, status: 'missing' };
  const worse = (x: number, y: number) => (metric.better === 'lower' ? x > y : x < y);
  const overLimit = limit !== null && worse(head.median, limit);
  if (!base) return { ...figures, status: overLimit ? 'over the limit' : 'new' };
  const allowed = Math.max((Math.abs(base.median) * (threshold.percent ?? 0)) / 100, threshold.absolute ?? 0);
  const change = head.median - base.median;
  const worsening = metric.better === 'lower' ? change : -change;
  // Several seeds: a difference counts only where the ranges are apart.
  const apart = isBelow(base, head) || isBelow(head, base);
  let status: GateStatus = 'ok';
  if (overLimit) status = 'over the limit';
  else if (worsening > allowed && apart) status = 'regressed';
  else if (worsening < 0 && apart) status = 'improved';
  return { ...figures, change, allowed, status };
}

function nothing(key: string, result: RunResult, metric: string): GateCheck {
  const { workload, allocator } = result.run;
  return {
    run: key,
    workload,
    allocator,
    metric,
    unit: 'count',
    base: null,
    head: null,
    change: null,
    allowed: null,
    limit: null,
    status: 'ok',
  };
}

const absent = (key: string, result: RunResult): GateCheck => ({
  ...nothing(key, result, 'the run'),
  status: 'missing',
});
