import { Interrupted } from '../sim/contract/assert.ts';
import { sizeBytes } from '../sim/contract/quantities.ts';
import { Follower, type FollowOptions } from './follower.ts';
import { playPools } from './pool/play-pools.ts';
import type { PoolRun } from './pool/pool-run.ts';
import { preparePools } from './pool/prepare-pools.ts';
import { LIMIT_STEP, PoolTrial } from './pool-trial.ts';
import { type FleetFigures, figuresOf } from './report/figures.ts';
import { type FleetPlanRow, poolNeeds, workersIn } from './report/plan-row.ts';
import { type FleetOptions, type FleetRun, sampleTimes } from './run-fleet.ts';
import type { Scenario } from './scenario/scenario.ts';

export interface PlanQuestion {
  /** What each time is called, and the time; ascending. */
  readonly horizons: readonly { readonly name: string; readonly us: number }[];
  readonly risk: number;
  readonly setting: string;
}

export interface PlanAnswer {
  readonly totalBytes: number;
  /** By horizon, and pool by pool. */
  readonly rows: readonly FleetPlanRow[];
}

/** A pool that is too large is tried with so much of its workers, so often. */
const FEWER = 0.7;
const ATTEMPTS = 8;

/**
 * Plans a scenario for several times. Its heaps are played once, up to the longest; the machine is followed to each time, and there it is tried
 * what fits.
 *
 *   heaps     ├────────────────────────────────────────┤
 *   machines  ├──────┤ try   ├────────────────┤ try   …
 *
 * Where somebody is killed on the way, the limits of the pools' groups are lifted for the way, and set again for what fits. Where that is not
 * enough, the pools are made smaller until nobody is killed: what is said then is of so many workers.
 */
export async function planScenario(
  given: Scenario,
  question: PlanQuestion,
  options: FleetOptions,
): Promise<PlanAnswer> {
  const scenario = withGroups(given);
  const rows: FleetPlanRow[] = [];
  /** Of each pool: what fitted up to the time before, which is near. */
  const fitted: (number | undefined)[] = [];
  let totalBytes = 0;
  let smaller = scenario;
  let prepared = await preparedPools(smaller, question, options);
  let killed = 0;
  for (const [h, { name, us }] of question.horizons.entries()) {
    for (let attempt = 0; ; attempt++) {
      const trial = attempt === ATTEMPTS ? undefined : attempt === 0 ? 'whole' : 'at once';
      const run = await followed(smaller, prepared, us, { ...options, ...(trial && { trial }) });
      const kills = run.events.filter(({ kind }) => kind === 'oom-kill').length;
      if (smaller === scenario) killed = Math.max(killed, kills);
      if (kills === 0 || attempt === ATTEMPTS) {
        const figures = withLimits(figuresOf(run), scenario);
        totalBytes = figures.totalBytes;
        const ofHorizon: Omit<FleetPlanRow, 'groupLimitBytes'>[] = [];
        for (const [i, { group = null }] of given.pools.entries()) {
          // A trial leaves a machine that serves for nothing else.
          const own = i === 0 ? run : await followed(smaller, prepared, us, options);
          const row = await rowOf(own, figures, i, {
            question,
            horizon: name,
            killed,
            scenario,
            from: fitted[i],
            signal: options.signal,
          });
          if (row.tried) fitted[i] = row.fits;
          ofHorizon.push({ ...row, group });
        }
        rows.push(...withGroupLimits(ofHorizon));
        break;
      }
      smaller =
        smaller === scenario
          ? withoutLimits(scenario)
          : withFewer(smaller.cgroups === scenario.cgroups ? smaller : scenario);
      prepared = await preparedPools(smaller, question, options);
    }
    options.onProgress?.((h + 1) / question.horizons.length);
  }
  return { totalBytes, rows };
}

/** Each was tried with its own requests in progress: those of the other pools of its group come on top. */
function withGroupLimits(rows: readonly Omit<FleetPlanRow, 'groupLimitBytes'>[]): FleetPlanRow[] {
  return rows.map((row) => {
    const together = row.group === null ? [row] : rows.filter(({ group }) => group === row.group);
    const allInProgress = together.reduce((sum, { inProgressBytes }) => sum + inProgressBytes, 0);
    const most = Math.max(...together.map((one) => one.limitBytes + allInProgress - one.inProgressBytes));
    return { ...row, groupLimitBytes: Math.ceil(most / LIMIT_STEP) * LIMIT_STEP };
  });
}

/** A pool without a group is given one without a limit, so that what it would need of one can be tried. */
function withGroups(scenario: Scenario): Scenario {
  const taken = new Set(scenario.cgroups.map(({ name }) => name));
  const groupOf = (name: string): string => (taken.has(name) ? groupOf(`${name}-pool`) : name);
  const pools = scenario.pools.map((pool) => ({ ...pool, group: pool.group ?? groupOf(pool.name) }));
  const added = pools.filter(({ group }) => !taken.has(group)).map(({ group }) => ({ name: group, oom_group: false }));
  return { ...scenario, pools, cgroups: [...scenario.cgroups, ...added] };
}

/** Without what the pools' own groups may have at most. */
function withoutLimits(scenario: Scenario): Scenario {
  const own = new Set(scenario.pools.map(({ group }) => group));
  const cgroups = scenario.cgroups.map((one) => (own.has(one.name) ? { ...one, max: undefined } : one));
  return { ...scenario, cgroups };
}

const limitIn = ({ cgroups }: Scenario, group: string): number | undefined => {
  const max = cgroups.find(({ name }) => name === group)?.max;
  return max === undefined ? undefined : sizeBytes(max);
};

/** Of a run without limits: with those that there are. */
function withLimits(figures: FleetFigures, scenario: Scenario): FleetFigures {
  const groups = figures.groups.map((one) => ({ ...one, maxBytes: limitIn(scenario, one.name) ?? one.maxBytes }));
  return { ...figures, groups };
}

function withFewer(scenario: Scenario): Scenario {
  const pools = scenario.pools.map((pool) => {
    const most = Math.max(1, Math.floor(pool.pm.max_children * FEWER));
    const atMost = (value: number | undefined) => (value === undefined ? undefined : Math.min(value, most));
    const { start_servers, min_spare_servers, max_spare_servers } = pool.pm;
    return {
      ...pool,
      pm: {
        ...pool.pm,
        max_children: most,
        start_servers: atMost(start_servers),
        min_spare_servers: atMost(min_spare_servers),
        max_spare_servers: atMost(max_spare_servers),
      },
    };
  });
  return { ...scenario, pools };
}

interface Prepared {
  readonly arrivals: FleetRun['arrivals'];
  readonly pools: readonly PoolRun[];
  readonly samplesUs: Float64Array;
}

/** Heaps up to the longest time, with the samples of each. */
async function preparedPools(scenario: Scenario, { horizons }: PlanQuestion, options: FleetOptions): Promise<Prepared> {
  const times = horizons.flatMap(({ us }) => [...sampleTimes({ ...scenario, durationUs: us })]);
  const samplesUs = Float64Array.from(new Set(times)).sort();
  const { arrivals, pools } = await preparePools(scenario, samplesUs, options);
  if (options.signal?.aborted) throw new Interrupted('interrupted');
  await playPools(pools, { ...options, onProgress: () => {} });
  return { arrivals, pools, samplesUs };
}

async function followed(
  scenario: Scenario,
  { arrivals, pools, samplesUs }: Prepared,
  untilUs: number,
  options: FollowOptions,
): Promise<FleetRun & { readonly follower: Follower }> {
  const follower = new Follower(
    { ...scenario, durationUs: untilUs },
    pools,
    samplesUs.filter((us) => us <= untilUs),
    options,
  );
  await follower.follow(() => {});
  if (options.signal?.aborted) throw new Interrupted('interrupted');
  const { samples, events, firstKill, worst, driver: machine } = follower;
  return { scenario, arrivals, pools, samples, events, firstKill, worst, machine, partial: false, follower };
}

/** A row but for what other pools have to do with it. */
type TriedRow = Omit<FleetPlanRow, 'group' | 'groupLimitBytes'>;

async function rowOf(
  run: FleetRun & { readonly follower: Follower },
  figures: FleetFigures,
  index: number,
  given: {
    readonly question: PlanQuestion;
    readonly horizon: string;
    readonly killed: number;
    /** As it is. */
    readonly scenario: Scenario;
    /** Workers to try first; default: as many as are estimated. */
    readonly from: number | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<TriedRow> {
  const { question, horizon, killed, scenario, from, signal } = given;
  const { risk, setting } = question;
  const pool = run.pools[index]!;
  const needs = poolNeeds(run, figures, index, risk);
  const estimate = workersIn(needs.roomBytes, needs);
  const trial =
    figures.kills === 0
      ? await new PoolTrial(run.follower, index, pool, needs.fullestSample, needs).run(
          run.machine.run.groups.get(pool.pool.group!),
          limitIn(scenario, pool.pool.group!),
          from ?? Math.max(1, estimate - 1),
          signal,
        )
      : undefined;
  const fits = trial?.fits ?? estimate;
  const room = trial ? fits * needs.keptBytes + needs.demandPages * 4096 : needs.roomBytes;
  const group = figures.groups.find(({ name }) => name === pool.pool.group)!;
  return {
    setting,
    pool: pool.pool.name,
    horizon,
    risk,
    workerBytes: needs.keptBytes,
    workerPeakBytes: needs.peakBytes,
    inProgressBytes: needs.demandPages * 4096,
    besideBytes: needs.besideBytes,
    fits,
    fitsAtPeak: Math.min(fits, Math.floor(room / needs.peakBytes)),
    limitBytes:
      trial?.limitBytes ??
      Math.ceil((group.firmBytes.trend.highestBytes + needs.demandPages * 4096) / LIMIT_STEP) * LIMIT_STEP,
    limitWorkers: pool.pool.pm.max_children,
    workers: scenario.pools[index]!.pm.max_children,
    tried: trial !== undefined,
    killed,
    allocatorUs: needs.allocatorUs,
    front: false,
  };
}
