import { Interrupted } from '../sim/contract/assert.ts';
import { type FirstKill, type FleetEvent, Follower } from './follower.ts';
import type { MachineDriver } from './machine/machine-driver.ts';
import type { FleetSample } from './machine/sample.ts';
import type { WorstMoments } from './machine/worst-moments.ts';
import { playPools } from './pool/play-pools.ts';
import type { PoolRun } from './pool/pool-run.ts';
import { type PrepareOptions, preparePools } from './pool/prepare-pools.ts';
import type { Arrivals } from './requests/arrivals.ts';
import type { Scenario } from './scenario/scenario.ts';

export interface FleetOptions extends PrepareOptions {
  /** Threads for the heaps; default: as many as there are processors. */
  readonly workers?: number;
  /** Between 0 and 1. */
  readonly onProgress?: (share: number) => void;
  /** The machine is left as it is then, instead of at the end. */
  readonly stopAtUs?: number;
  /** Whether the commands of the machine are kept. */
  readonly keepsScript?: boolean;
}

export interface FleetRun {
  readonly scenario: Scenario;
  readonly arrivals: Arrivals;
  readonly pools: readonly PoolRun[];
  readonly samples: readonly FleetSample[];
  readonly events: readonly FleetEvent[];
  /** Nothing where nobody was killed. */
  readonly firstKill: FirstKill | undefined;
  readonly worst: WorstMoments;
  /** The machine, as it is at the end or where it was stopped. */
  readonly machine: MachineDriver;
  readonly partial: boolean;
}

/** Of the work: a guess for those who wait. */
const HEAPS_SHARE = 0.5;

/**
 * Runs a scenario. Where the signal ends it, it is told as far as the machine was followed; while heaps were still being played that is the
 * start alone. The same scenario gives the same figures, whatever the number of threads. */
export async function runFleet(scenario: Scenario, options: FleetOptions = {}): Promise<FleetRun> {
  const { onProgress } = options;
  const samplesUs = sampleTimes(scenario, options.stopAtUs);
  const { arrivals, pools } = await preparePools(scenario, samplesUs, options);
  let followedUs = samplesUs;
  try {
    await playPools(pools, { ...options, onProgress: (share) => onProgress?.(HEAPS_SHARE * share) });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    for (const pool of pools) pool.playNothing();
    followedUs = samplesUs.slice(0, 1);
  }
  const follower = new Follower(scenario, pools, followedUs, options);
  const isCut = await follower.follow((share) => onProgress?.(HEAPS_SHARE + (1 - HEAPS_SHARE) * share));
  return {
    scenario,
    arrivals,
    pools,
    samples: follower.samples,
    events: [...follower.events].sort((x, y) => x.atUs - y.atUs),
    firstKill: follower.firstKill,
    worst: follower.worst,
    machine: follower.driver,
    partial: isCut || followedUs.length < samplesUs.length,
  };
}

/** When the machine is looked at. */
export function sampleTimes(
  scenario: Pick<Scenario, 'durationUs' | 'samples'>,
  stopAtUs = scenario.durationUs,
): Float64Array {
  const all = Array.from({ length: scenario.samples }, (_, i) =>
    Math.round((scenario.durationUs * i) / (scenario.samples - 1)),
  );
  const until = all.filter((us) => us < stopAtUs);
  return Float64Array.from([...until, Math.min(stopAtUs, scenario.durationUs)]);
}
