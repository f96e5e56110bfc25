import type { FleetSample } from './machine/sample.ts';
import { type FleetFigures, figuresOf } from './report/figures.ts';
import { withChange } from './report/settings.ts';
import { type Severity, type Verdict, verdictOf } from './report/verdict.ts';
import { type FleetEvent, type FleetOptions, type FleetRun, runFleet } from './run-fleet.ts';
import { parseScenario, type Scenario } from './scenario/scenario.ts';

export const FLEET_SCHEMA = 'allocsim-fleet-1';

/** A scenario with one of its changes: what came of it, run and not estimated. */
export interface SettingResult {
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly severity: Severity;
  readonly kills: number;
  /** MemAvailable at its lowest. */
  readonly lowestAvailableBytes: number;
  /** AnonPages of the machine at the end, and what the machine uses at most (MemTotal without MemAvailable). */
  readonly anonBytes: number;
  readonly usedBytes: number;
  /** Private memory of all workers at most. */
  readonly workersBytes: number;
  /** The largest worker at the end, its address space, and its heap within a request at most. */
  readonly largestBytes: number;
  readonly sizeBytes: number;
  readonly heapPeakBytes: number;
  /** The allocator's and the kernel's part of a request, on average over all, without waiting for locks. */
  readonly allocatorUs: number;
  readonly waitP99Us: number;
  readonly replayed: number;
  readonly met: number;
  /** Whether no other one needs less memory and less time. */
  readonly front: boolean;
}

export interface FleetResult {
  readonly schema: typeof FLEET_SCHEMA;
  readonly scenario: string;
  readonly about: string;
  readonly seed: number;
  readonly durationUs: number;
  readonly machine: Scenario['machine'];
  readonly partial: boolean;
  readonly verdict: Verdict;
  readonly figures: FleetFigures;
  readonly settings: readonly SettingResult[];
  readonly events: readonly FleetEvent[];
  readonly samples: readonly FleetSample[];
}

export interface StudyOptions extends FleetOptions {
  /** Which of the scenario's settings are run: all, none, or those of these names. */
  readonly settings?: 'all' | 'none' | readonly string[];
  /** Called before each run with its name and number. */
  readonly onRun?: (name: string, number: number, of: number) => void;
}

/** Runs a scenario and the changes that it names. */
export async function studyFleet(
  text: string,
  from: string,
  options: StudyOptions = {},
): Promise<{ result: FleetResult; run: FleetRun }> {
  const scenario = parseScenario(text, from);
  const wanted = options.settings ?? 'all';
  const settings = scenario.settings.filter(
    ({ name }) => wanted === 'all' || (wanted !== 'none' && wanted.includes(name)),
  );
  // All changes are read before anything runs: a mistake in the last one is found at once.
  const changed = settings.map(({ change }) => withChange(text, from, change));
  const total = settings.length + 1;
  const runOptions = (number: number): FleetOptions => ({
    ...options,
    onProgress: (share) => options.onProgress?.((number + share) / total),
  });
  options.onRun?.('as it is', 0, total);
  const run = await runFleet(scenario, runOptions(0));
  const figures = figuresOf(run);
  const rows = [settingResult('as it is', {}, figures, scenario)];
  let partial = run.partial;
  for (const [i, own] of changed.entries()) {
    if (options.signal?.aborted) {
      partial = true;
      break;
    }
    const { name, change } = settings[i]!;
    options.onRun?.(name, i + 1, total);
    try {
      rows.push(settingResult(name, change, figuresOf(await runFleet(own, runOptions(i + 1))), own));
    } catch (error) {
      if (!options.signal?.aborted) throw error;
      partial = true;
      break;
    }
  }
  const result: FleetResult = {
    schema: FLEET_SCHEMA,
    scenario: scenario.name,
    about: scenario.about,
    seed: scenario.seed,
    durationUs: scenario.durationUs,
    machine: scenario.machine,
    partial,
    verdict: verdictOf(figures, scenario),
    figures,
    settings: rows.length > 1 ? rows.map((row) => ({ ...row, front: !rows.some((other) => beats(other, row)) })) : [],
    events: run.events,
    samples: run.samples,
  };
  return { result, run };
}

/** A smaller difference is none. */
const SAME = 1.01;

/**
 * Whether one needs no more memory and no more time than another, and clearly less of one. Memory is without end where something is killed or
 * climbs to a limit.
 */
function beats(x: SettingResult, y: SettingResult): boolean {
  const memory = ({ severity, usedBytes }: SettingResult) =>
    severity === 'fails' || severity === 'ends' ? Infinity : usedBytes;
  const time = (row: SettingResult) => row.allocatorUs + row.waitP99Us;
  const isLess = (less: number, more: number) => less * SAME < more;
  return (
    !isLess(memory(y), memory(x)) &&
    !isLess(time(y), time(x)) &&
    (isLess(memory(x), memory(y)) || isLess(time(x), time(y)))
  );
}

function settingResult(
  name: string,
  change: Readonly<Record<string, unknown>>,
  figures: FleetFigures,
  scenario: Scenario,
): SettingResult {
  const { pools } = figures;
  const sum = (of: (pool: FleetFigures['pools'][number]) => number) =>
    pools.reduce((total, pool) => total + of(pool), 0);
  const most = (of: (pool: FleetFigures['pools'][number]) => number) => Math.max(0, ...pools.map(of));
  const requests = sum((pool) => pool.requests);
  return {
    name,
    change,
    severity: verdictOf(figures, scenario).severity,
    kills: figures.kills,
    lowestAvailableBytes: figures.lowestAvailableBytes,
    usedBytes: figures.totalBytes - figures.lowestAvailableBytes,
    anonBytes: figures.anonBytes.values.at(-1)!,
    workersBytes: sum((pool) => pool.privateBytes.trend.highestBytes),
    largestBytes: most((pool) => pool.largestBytes.values.at(-1)!),
    sizeBytes: most((pool) => pool.sizeBytes),
    heapPeakBytes: most((pool) => pool.heapPeakBytes),
    allocatorUs: requests === 0 ? 0 : sum((pool) => pool.requestUs) / requests,
    waitP99Us: most((pool) => pool.waitUs.p99),
    replayed: sum((pool) => pool.replayed),
    met: sum((pool) => pool.met),
    front: false,
  };
}
