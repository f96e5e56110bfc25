import { NO_LIMIT } from '../machine/kernel/mem-cgroup.ts';
import { siMemAvailable } from '../machine/kernel/meminfo.ts';
import { nrFreePages } from '../machine/kernel/page-alloc.ts';
import { Interrupted } from '../sim/contract/assert.ts';
import { MachineDriver } from './machine/machine-driver.ts';
import { highestMoments, type Moment } from './machine/moments.ts';
import { PoolProcesses, type WorkerTarget } from './machine/pool-processes.ts';
import { type FleetSample, takeSample } from './machine/sample.ts';
import { type ServiceEvent, ServiceProcess } from './machine/service-process.ts';
import { playPools } from './pool/play-pools.ts';
import { firstAfter, PoolRun } from './pool/pool-run.ts';
import { type Arrivals, arrivalsOf } from './requests/arrivals.ts';
import type { Scenario } from './scenario/scenario.ts';
import { FILE_SOURCES, type FleetSources } from './scenario/sources.ts';

export interface FleetOptions {
  /** Threads for the heaps; default: as many as there are processors. */
  readonly workers?: number;
  readonly signal?: AbortSignal;
  /** Between 0 and 1. */
  readonly onProgress?: (share: number) => void;
  /** false: every request is replayed, whether its heap is known or not. */
  readonly remembers?: boolean;
  /** The machine is left as it is then, instead of at the end. */
  readonly stopAtUs?: number;
  /** Whether the commands of the machine are kept. */
  readonly keepsScript?: boolean;
  /** Default: the files of this machine. */
  readonly sources?: FleetSources;
}

/** Something that happened. */
export interface FleetEvent {
  readonly atUs: number;
  readonly kind: 'oom-kill' | 'recycled' | 'refused' | 'no-memory';
  readonly text: string;
  /** Who it happened to. */
  readonly who: string;
}

export interface FleetRun {
  readonly scenario: Scenario;
  readonly arrivals: Arrivals;
  readonly pools: readonly PoolRun[];
  readonly samples: readonly FleetSample[];
  readonly events: readonly FleetEvent[];
  /** The machine, as it is at the end or where it was stopped. */
  readonly machine: MachineDriver;
  readonly partial: boolean;
}

/** Kills after which a machine is not followed any further. */
const MOST_KILLS = 400;

/** Of the work: a guess for those who wait. */
const HEAPS_SHARE = 0.5;

/**
 * Runs a scenario. Where the signal ends it, it is told as far as the machine was followed; while heaps were still being played that is the
 * start alone. The same scenario gives the same figures, whatever the number of threads. */
export async function runFleet(scenario: Scenario, options: FleetOptions = {}): Promise<FleetRun> {
  const { remembers = true, sources = FILE_SOURCES, onProgress } = options;
  const samplesUs = sampleTimes(scenario, options.stopAtUs);
  const arrivals = arrivalsOf(scenario, sources);
  const pools = await Promise.all(
    scenario.pools.map((pool) => PoolRun.prepare(pool, scenario, arrivals, samplesUs, remembers, sources)),
  );
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
    events: follower.events,
    machine: follower.driver,
    partial: isCut || followedUs.length < samplesUs.length,
  };
}

function sampleTimes(scenario: Scenario, stopAtUs = scenario.durationUs): Float64Array {
  const all = Array.from({ length: scenario.samples }, (_, i) =>
    Math.round((scenario.durationUs * i) / (scenario.samples - 1)),
  );
  const until = all.filter((us) => us < stopAtUs);
  return Float64Array.from([...until, Math.min(stopAtUs, scenario.durationUs)]);
}

/** Follows the machine through time: from sample to sample, and in between to what could change it. */
class Follower {
  readonly driver: MachineDriver;
  readonly samples: FleetSample[] = [];
  readonly events: FleetEvent[] = [];
  private readonly scenario: Scenario;
  private readonly pools: readonly PoolRun[];
  private readonly samplesUs: Float64Array;
  private readonly processes: PoolProcesses[];
  private readonly services: { readonly process: ServiceProcess; readonly events: ServiceEvent[]; next: number }[];
  private moments: (Moment | undefined)[];
  private kills = 0;
  private lowestBytes = Infinity;
  private readonly signal: AbortSignal | undefined;

  constructor(scenario: Scenario, pools: readonly PoolRun[], samplesUs: Float64Array, options: FleetOptions) {
    this.scenario = scenario;
    this.pools = pools;
    this.samplesUs = samplesUs;
    this.signal = options.signal;
    this.driver = new MachineDriver(scenario, options.keepsScript);
    this.services = scenario.services.map((service) => {
      const process = new ServiceProcess(service, this.driver);
      return { process, events: process.events(samplesUs.at(-1)!), next: 0 };
    });
    this.processes = pools.map((pool) => new PoolProcesses(pool.pool, this.driver, pool.forkedHeap));
    this.moments = highestMoments(pools, samplesUs);
    this.noteDeaths();
    for (const pool of pools) {
      const { refused } = pool.schedule;
      if (refused > 0)
        this.events.push({
          atUs: samplesUs.at(-1)!,
          kind: 'refused',
          who: pool.pool.name,
          text: `${refused} requests found the backlog of ${pool.pool.name} full`,
        });
    }
  }

  /** @returns whether it ended before its time. */
  async follow(onProgress: (share: number) => void): Promise<boolean> {
    for (let sample = 0; sample < this.samplesUs.length; sample++) {
      const us = this.samplesUs[sample]!;
      this.playMoment(this.moments[sample]);
      this.serve(us);
      this.driver.passTo(us);
      this.bringAll(sample);
      this.noteLowest((this.moments[sample]?.pages ?? 0) * 4096);
      const withinPeakBytes = (this.moments[sample]?.pages ?? 0) * 4096;
      this.samples.push(
        takeSample(this.driver, this.scenario, us, { withinPeakBytes, lowestAvailableBytes: this.lowestBytes }),
      );
      this.lowestBytes = Infinity;
      if (this.signal?.aborted) return true;
      if (this.kills >= MOST_KILLS) return true;
      if (sample % 8 === 0) {
        onProgress(sample / this.samplesUs.length);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return false;
  }

  /** `moreBytes`: of requests that could have it without anything else happening. */
  private noteLowest(moreBytes: number): void {
    this.lowestBytes = Math.min(this.lowestBytes, Math.max(0, siMemAvailable(this.driver.run.k) * 4096 - moreBytes));
  }

  private serve(untilUs: number): void {
    for (;;) {
      const due = this.services.filter(({ events, next }) => (events[next]?.atUs ?? Infinity) <= untilUs);
      if (due.length === 0) return;
      const first = due.reduce((x, y) => (y.events[y.next]!.atUs < x.events[x.next]!.atUs ? y : x));
      const event = first.events[first.next++]!;
      this.driver.passTo(event.atUs);
      first.process.do(event);
      this.noteLowest(0);
      this.noteDeaths();
    }
  }

  /** Where the requests in progress could not simply have what they need, they take it: memory is reclaimed, or somebody is killed. */
  private playMoment(moment: Moment | undefined): void {
    if (!moment || !this.isTight(moment)) return;
    this.driver.passTo(moment.atUs);
    for (const { pool, slot, pages } of moment.running) {
      this.processes[pool]!.setWithin(slot, pages);
      this.noteDeaths();
      this.noteLowest(0);
    }
    for (const { pool, slot } of moment.running) this.processes[pool]!.setWithin(slot, 0);
    this.noteDeaths();
  }

  private isTight(moment: Moment): boolean {
    const { k, groups } = this.driver.run;
    const kept = k.zones.reduce((sum, zone) => sum + zone.high + zone.boost, 0);
    if (nrFreePages(k) - kept < moment.pages) return true;
    return this.pools.some(({ pool }, i) => {
      for (
        let group = pool.group === undefined ? null : (groups.get(pool.group) ?? null);
        group;
        group = group.parent
      ) {
        const limit = Math.min(group.max, group.high);
        if (limit !== NO_LIMIT && limit - group.usage < moment.poolPages[i]!) return true;
      }
      return false;
    });
  }

  private bringAll(sample: number): void {
    this.pools.forEach((pool, p) => {
      const processes = this.processes[p]!;
      for (let slot = 0; slot < pool.tasks.length; slot++) {
        processes.bring(slot, this.target(pool, slot, sample));
        this.noteDeaths();
      }
    });
  }

  private target(pool: PoolRun, slot: number, sample: number): WorkerTarget | undefined {
    const layout = pool.layoutAt(slot, sample);
    if (!layout) return undefined;
    const timeline = pool.timelines[slot]!;
    const ownPages = pool.ownPreloadPages(slot, sample);
    return {
      generation: timeline.generation[sample]!,
      layout,
      withinPages: timeline.withinPages[sample]!,
      ownPages,
      begun: firstAfter(pool.tasks[slot]!.startUs, this.samplesUs[sample]!),
    };
  }

  private textOf(name: string): string {
    return this.pools.some(({ pool }) => pool.name === name)
      ? `${name}, the master: its pool serves nobody any more`
      : name;
  }

  private noteDeaths(): void {
    for (const { name, what, atUs } of this.driver.takeRefusals())
      this.events.push({ atUs, kind: 'no-memory', who: name, text: `${name} was refused ${what}` });
    for (const { name, atUs } of this.driver.takeDeaths()) {
      this.kills++;
      const us = Math.min(atUs, this.samplesUs.at(-1)!);
      this.events.push({ atUs: us, kind: 'oom-kill', who: name, text: `the kernel killed ${this.textOf(name)}` });
      this.pools.forEach((pool, p) => {
        const slot = pool.tasks.findIndex((_, i) => this.processes[p]!.nameOf(i) === name);
        if (slot < 0) return;
        this.processes[p]!.forget(slot);
        pool.kill(slot, us);
      });
    }
  }
}
