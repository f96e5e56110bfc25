import { UserError } from '../sim/contract/assert.ts';
import { normalQuantile } from '../sim/metrics/normal.ts';
import { type FleetFigures, figuresOf } from './report/figures.ts';
import { withChange } from './report/settings.ts';
import { type FleetOptions, type FleetRun, runFleet } from './run-fleet.ts';
import { durationText, durationUs } from './scenario/quantities.ts';
import { parseScenario } from './scenario/scenario.ts';

export const FLEET_PLAN_SCHEMA = 'allocsim-fleet-plan-1';

/** What a machine of so many workers needs over one time, at one risk. */
export interface FleetPlanRow {
  readonly setting: string;
  readonly pool: string;
  readonly horizon: string;
  readonly risk: number;
  /** Private memory of a worker at that time: between requests, and its deviation with what requests in progress add. */
  readonly workerMeanBytes: number;
  readonly workerDeviationBytes: number;
  readonly workerPeakBytes: number;
  /** Of the machine beside this pool's workers: shared memory once, other pools, services, the kernel. */
  readonly besideBytes: number;
  /** Workers that fit with that risk, and with all of them at their peak at once. */
  readonly fits: number;
  readonly fitsAtPeak: number;
  /** As a memory.max for the workers that the scenario has. */
  readonly limitBytes: number;
  readonly killed: number;
  /** The allocator's part of a request. */
  readonly allocatorUs: number;
  /** Whether no other setting needs less memory and less time over the same time. */
  readonly front: boolean;
}

export interface FleetPlan {
  readonly schema: typeof FLEET_PLAN_SCHEMA;
  readonly scenario: string;
  readonly totalBytes: number;
  readonly rows: readonly FleetPlanRow[];
}

export interface FleetPlanOptions extends FleetOptions {
  /** Times to plan for, such as 24h, 72h, 30d; a longer one than the scenario's is run longer. */
  readonly horizons: readonly string[];
  /** Probability at a moment that more is needed. */
  readonly risk: number;
  readonly settings: 'all' | 'none' | readonly string[];
}

/** Sizes a fleet: how many workers fit on its machine for how long, under each of its settings. Every row is a run. */
export async function planFleet(text: string, from: string, options: FleetPlanOptions): Promise<FleetPlan> {
  const scenario = parseScenario(text, from);
  if (scenario.pools.length === 0)
    throw new UserError(`${from}: found no pools, expected one: what is planned is its workers`);
  const changes = [
    { name: 'as it is', change: {} },
    ...scenario.settings.filter(
      ({ name }) => options.settings === 'all' || (options.settings !== 'none' && options.settings.includes(name)),
    ),
  ];
  const rows: FleetPlanRow[] = [];
  let totalBytes = 0;
  const total = changes.length * options.horizons.length;
  let done = 0;
  for (const horizon of options.horizons) {
    if (durationUs(horizon) === undefined)
      throw new UserError(`found '${horizon}', expected a time such as 24h, 72h or 30d`);
    const ofHorizon: FleetPlanRow[] = [];
    for (const { name, change } of changes) {
      const run = await runFleet(withChange(text, from, { ...change, duration: horizon }), {
        ...options,
        onProgress: (share) => options.onProgress?.((done + share) / total),
      });
      done++;
      const figures = figuresOf(run);
      totalBytes = figures.totalBytes;
      for (const i of run.pools.keys())
        ofHorizon.push(
          planRow(run, figures, i, { setting: name, horizon: durationText(durationUs(horizon)!), risk: options.risk }),
        );
    }
    rows.push(
      ...ofHorizon.map((row) => ({
        ...row,
        front: !ofHorizon.some((other) => other.pool === row.pool && beats(other, row)),
      })),
    );
  }
  return { schema: FLEET_PLAN_SCHEMA, scenario: scenario.name, totalBytes, rows };
}

const beats = (x: FleetPlanRow, y: FleetPlanRow) =>
  x.fits >= y.fits && x.allocatorUs <= y.allocatorUs && (x.fits > y.fits || x.allocatorUs < y.allocatorUs);

function planRow(
  run: FleetRun,
  figures: FleetFigures,
  index: number,
  names: Pick<FleetPlanRow, 'setting' | 'horizon' | 'risk'>,
): FleetPlanRow {
  const pool = figures.pools[index]!;
  const { pm } = run.pools[index]!.pool;
  const workers = Math.max(1, pool.workers);
  const ownAtEnd = pool.privateBytes.trend.highestBytes;
  const kept = ownAtEnd / workers;
  const { mean, deviation } = withinRequests(run, index);
  const peak = kept + Math.max(0, pool.heapPeakBytes - pool.heapMeanBytes);
  const beside = Math.max(
    0,
    figures.totalBytes - figures.availableBytes.trend.lastBytes - pool.privateBytes.trend.lastBytes,
  );
  const room = Math.min(figures.totalBytes, groupLimit(figures, run, index)) - beside;
  const needs = (count: number) =>
    Math.min(
      count * peak,
      Math.max(
        count * (kept + mean) + normalQuantile(1 - names.risk) * deviation * Math.sqrt(count),
        (count - 1) * (kept + mean) + peak,
      ),
    );
  let fits = 0;
  while (fits < 100_000 && needs(fits + 1) <= room) fits++;
  return {
    ...names,
    pool: pool.name,
    workerMeanBytes: kept + mean,
    workerDeviationBytes: deviation,
    workerPeakBytes: peak,
    besideBytes: beside,
    fits,
    fitsAtPeak: peak > 0 ? Math.max(0, Math.floor(room / peak)) : 0,
    limitBytes: Math.ceil(needs(pm.max_children) / 2 ** 20) * 2 ** 20,
    killed: figures.kills,
    allocatorUs: pool.requests === 0 ? 0 : pool.requestUs / pool.requests,
    front: false,
  };
}

function groupLimit(figures: FleetFigures, run: FleetRun, index: number): number {
  const { group } = run.pools[index]!.pool;
  const own = figures.groups.filter(
    ({ name, maxBytes }) => maxBytes !== null && (group === name || group?.startsWith(`${name}/`)),
  );
  return Math.min(Infinity, ...own.map(({ maxBytes }) => maxBytes!));
}

/** What a worker has at a random moment beyond what it keeps: each request counts with its peak for as long as it runs. */
function withinRequests(run: FleetRun, index: number): { mean: number; deviation: number } {
  const { tasks, timelines, startPages } = run.pools[index]!;
  const lengthUs = run.samples.at(-1)!.atUs;
  let sum = 0;
  let squares = 0;
  tasks.forEach((task, slot) => {
    const { peakPages, residentPages } = timelines[slot]!;
    task.startUs.forEach((startUs, i) => {
      const extra = Math.max(0, peakPages[i]! - (i > 0 ? residentPages[i - 1]! : startPages)) * 4096;
      const share = (Math.min(task.endUs[i]!, lengthUs) - startUs) / lengthUs / tasks.length;
      sum += extra * share;
      squares += extra * extra * share;
    });
  });
  return { mean: sum, deviation: Math.sqrt(Math.max(0, squares - sum * sum)) };
}

/** A table for spreadsheets. */
export function fleetPlanCsv({ rows }: FleetPlan): string {
  const header = [
    'setting',
    'pool',
    'horizon',
    'risk',
    'worker_mean_bytes',
    'worker_deviation_bytes',
    'worker_peak_bytes',
    'beside_bytes',
    'fits',
    'fits_at_peak',
    'limit_bytes',
    'killed',
    'allocator_us',
    'front',
  ];
  const lines = rows.map((r) => [
    r.setting,
    r.pool,
    r.horizon,
    r.risk,
    r.workerMeanBytes,
    r.workerDeviationBytes,
    r.workerPeakBytes,
    r.besideBytes,
    r.fits,
    r.fitsAtPeak,
    r.limitBytes,
    r.killed,
    r.allocatorUs,
    r.front,
  ]);
  const cell = (value: string | number | boolean) =>
    /[",\n]/.test(String(value))
      ? `"${String(value).replace(/"/g, '""')}"`
      : typeof value === 'number'
        ? `${Math.round(value * 1000) / 1000}`
        : String(value);
  return `${[header, ...lines].map((line) => line.map(cell).join(',')).join('\n')}\n`;
}
