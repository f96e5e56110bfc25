import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';
import type { Severity } from './finding.ts';
import { verdictOf } from './verdict.ts';

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

export function settingResult(
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
