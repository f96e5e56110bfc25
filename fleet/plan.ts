import { Interrupted, UserError } from '../sim/contract/assert.ts';
import { csvText } from '../sim/contract/escape.ts';
import { durationUs } from '../sim/contract/quantities.ts';
import { type FleetExecutor, type FleetTask, runHere } from './fleet-task.ts';
import type { FleetPlanRow } from './report/plan-row.ts';
import type { FleetOptions } from './run-fleet.ts';
import { parseScenario } from './scenario/scenario.ts';
import { checkChanges } from './scenario/settings.ts';

export const FLEET_PLAN_SCHEMA = 'allocsim-fleet-plan-1';

export interface FleetPlan {
  readonly schema: typeof FLEET_PLAN_SCHEMA;
  readonly scenario: string;
  /** Interrupted: only the rows of what had finished. */
  readonly partial: boolean;
  readonly totalBytes: number;
  readonly rows: readonly FleetPlanRow[];
}

export interface FleetPlanOptions extends FleetOptions {
  /** Times to plan for, such as 24h, 72h, 30d; a longer one than the scenario's is run longer. */
  readonly horizons: readonly string[];
  /** Probability that more is needed at some time within a horizon. */
  readonly risk: number;
  readonly settings: 'all' | 'none' | readonly string[];
  /** Where the runs are made; default: here, one after another. */
  readonly execute?: FleetExecutor;
}

/** Sizes a fleet: how many workers fit on its machine for how long, under each of its settings. Every row is a run. */
export async function planFleet(text: string, from: string, options: FleetPlanOptions): Promise<FleetPlan> {
  const { settings, risk, horizons, execute = (tasks) => runHere(tasks, options) } = options;
  const scenario = parseScenario(text, from);
  if (scenario.pools.length === 0)
    throw new UserError(`${from}: found no pools, expected one: what is planned is its workers`);
  const changes = [
    { name: 'as it is', change: {} },
    ...scenario.settings.filter(({ name }) => settings === 'all' || (settings !== 'none' && settings.includes(name))),
  ];
  const times = horizons.map((word) => {
    const us = durationUs(word);
    if (us === undefined) throw new UserError(`--horizon: found '${word}', expected a time such as 24h, 72h or 30d`);
    return { name: word, us };
  });
  const ascending = [...new Map(times.map((time) => [time.us, time])).values()].sort((x, y) => x.us - y.us);
  const duration = ascending.at(-1)!.name;
  const tasks = changes.map(({ name, change }): FleetTask => {
    return { text, from, name, change: { ...change, duration }, asks: { plan: { horizons: ascending, risk } } };
  });
  checkChanges(scenario, text, from, tasks);
  const { runs, partial } = await execute(tasks);
  if (runs.every((run) => run === undefined)) throw new Interrupted('interrupted');
  const all = runs.flatMap((run) => run?.plan?.rows ?? []);
  const rows = ascending.flatMap(({ name }) => {
    const ofHorizon = all.filter(({ horizon }) => horizon === name);
    return ofHorizon.map((row) => ({
      ...row,
      // Of one there is no best.
      front: changes.length > 1 && !ofHorizon.some((other) => other.pool === row.pool && beats(other, row)),
    }));
  });
  const totalBytes = runs.findLast((run) => run !== undefined)!.plan!.totalBytes;
  return { schema: FLEET_PLAN_SCHEMA, scenario: scenario.name, partial, totalBytes, rows };
}

const beats = (x: FleetPlanRow, y: FleetPlanRow) =>
  x.fits >= y.fits && x.allocatorUs <= y.allocatorUs && (x.fits > y.fits || x.allocatorUs < y.allocatorUs);

/** A table for spreadsheets. */
export function fleetPlanCsv({ rows }: FleetPlan): string {
  const header = [
    'setting',
    'pool',
    'group',
    'horizon',
    'horizon_hours',
    'risk',
    'worker_bytes',
    'worker_peak_bytes',
    'in_progress_bytes',
    'beside_bytes',
    'fits',
    'fits_at_peak',
    'limit_bytes',
    'group_limit_bytes',
    'limit_workers',
    'workers',
    'tried',
    'killed',
    'allocator_us',
    'front',
  ];
  const lines = rows.map((r) => [
    r.setting,
    r.pool,
    r.group,
    r.horizon,
    durationUs(r.horizon)! / 3600e6,
    r.risk,
    Math.round(r.workerBytes),
    Math.round(r.workerPeakBytes),
    r.inProgressBytes,
    Math.round(r.besideBytes),
    r.fits,
    r.fitsAtPeak,
    r.limitBytes,
    r.groupLimitBytes,
    r.limitWorkers,
    r.workers,
    r.tried,
    r.killed,
    Number(r.allocatorUs.toFixed(1)),
    r.front,
  ]);
  return csvText(header, lines);
}
