import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';
import type { Severity } from './finding.ts';
import { killedText } from './kill-finding.ts';
import { type Margin, marginsOf } from './margin.ts';
import { refusedOf } from './serving-finding.ts';
import { isOfLimit, isOfLoad, replacedText, unreached } from './setting-kind.ts';
import { verdictOf } from './verdict.ts';

/** A scenario with one of its changes: what came of it, run and not estimated. */
export interface SettingResult {
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly severity: Severity;
  readonly kills: number;
  /** Who was killed, where memory ran short first, and what was lost with them; null: nobody. */
  readonly killed: string | null;
  /** Requests that found the backlog full. */
  readonly refused: number;
  /** What climbs, towards what and when; null: nothing that comes near a limit. */
  readonly course: string | null;
  /** Whether what is asked of the machine was changed, and not how it is set up. */
  readonly isOfLoad: boolean;
  /** Whether a limit, memory or swap was: how much there is, and not how much is needed. */
  readonly isOfLimit: boolean;
  /** What was changed and never came into play. */
  readonly unreached: string | null;
  /** Where when workers are replaced was changed: how often they were; null: it was not, or none was. */
  readonly replaced: string | null;
  /** All memory first, then the groups with a memory.max. */
  readonly margins: readonly Margin[];
  /** MemAvailable at its lowest. */
  readonly lowestAvailableBytes: number;
  /** AnonPages of the machine at the end, and what the machine uses at most (MemTotal without MemAvailable). */
  readonly anonBytes: number;
  readonly usedBytes: number;
  /** Private memory of all workers at most, between samples too. */
  readonly workersBytes: number;
  /** The largest worker at the end, its address space, and its heap within a request at most. */
  readonly largestBytes: number;
  readonly sizeBytes: number;
  readonly heapPeakBytes: number;
  /** The allocator's and the kernel's part of a request, on average over all, without waiting for locks. */
  readonly allocatorUs: number;
  readonly waitP99Us: number;
  readonly waitMaxUs: number;
  /** Of several pools that in which each of them is longest; null: there is one, or nobody waits. */
  readonly waitP99Pool: string | null;
  readonly waitMaxPool: string | null;
  /** Pages of files that had been evicted, and swapped ones, read again. */
  readonly readAgainBytes: number;
  readonly replayed: number;
  readonly met: number;
  /** Whether it holds with a margin, and no other setting that does needs less memory and less time. */
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
  const verdict = verdictOf(figures, scenario);
  const requests = sum((pool) => pool.requests);
  return {
    name,
    change,
    severity: verdict.severity,
    course: verdict.findings.find(({ course }) => course !== undefined)?.course ?? null,
    isOfLoad: isOfLoad(change),
    isOfLimit: isOfLimit(change),
    unreached: unreached(change, figures, scenario),
    replaced: replacedText(change, figures, scenario),
    margins: marginsOf(figures),
    kills: figures.kills,
    killed: killedText(figures),
    refused: refusedOf(figures),
    lowestAvailableBytes: figures.lowestAvailableBytes,
    usedBytes: figures.totalBytes - figures.lowestAvailableBytes,
    anonBytes: figures.anonBytes.values.at(-1)!,
    workersBytes: figures.mostPrivateBytes,
    largestBytes: most((pool) => pool.largestBytes.values.at(-1)!),
    sizeBytes: most((pool) => pool.sizeBytes),
    heapPeakBytes: most((pool) => pool.heapPeakBytes),
    allocatorUs: requests === 0 ? 0 : sum((pool) => pool.requestUs) / requests,
    waitP99Us: most((pool) => pool.waitUs.p99),
    waitMaxUs: most((pool) => pool.waitUs.max),
    waitP99Pool: longest(pools, (pool) => pool.waitUs.p99),
    waitMaxPool: longest(pools, (pool) => pool.waitUs.max),
    readAgainBytes: figures.refaultedBytes + figures.swappedInBytes,
    replayed: sum((pool) => pool.replayed),
    met: sum((pool) => pool.met),
    front: false,
  };
}

function longest(pools: FleetFigures['pools'], of: (pool: FleetFigures['pools'][number]) => number): string | null {
  if (pools.length < 2) return null;
  const found = pools.reduce((x, y) => (of(y) > of(x) ? y : x));
  return of(found) > 0 ? found.name : null;
}
