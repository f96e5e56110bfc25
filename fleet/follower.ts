import { type MemCgroup, NO_LIMIT } from '../machine/kernel/mem-cgroup.ts';
import { siMemAvailable } from '../machine/kernel/meminfo.ts';
import { nrFreePages } from '../machine/kernel/page-alloc.ts';
import { breathing } from '../workloads/breathing.ts';
import { MachineDriver } from './machine/machine-driver.ts';
import { type MomentNeeds, needsOf } from './machine/moment-needs.ts';
import { highestMoments, type Moment, withoutSome } from './machine/moments.ts';
import { PoolProcesses, type WorkerTarget } from './machine/pool-processes.ts';
import { type FleetSample, takeSample } from './machine/sample.ts';
import { type ServiceEvent, ServiceProcess } from './machine/service-process.ts';
import { isWithin, MOMENT, WorstMoments } from './machine/worst-moments.ts';
import { NOTHING_WRITTEN } from './pool/first-requests.ts';
import { type InProgress, inProgressAt, requestAt } from './pool/in-progress.ts';
import { firstAfter, type PoolRun } from './pool/pool-run.ts';
import type { Scenario } from './scenario/scenario.ts';

/** Something that happened. */
export interface FleetEvent {
  readonly atUs: number;
  readonly kind: 'oom-kill' | 'recycled' | 'refused' | 'no-memory';
  readonly text: string;
  /** Who it happened to. */
  readonly who: string;
  /** What it served then. */
  readonly request?: string;
}

/** When somebody was killed first: the machine before anything was freed, and what had come together. */
export interface FirstKill {
  readonly sample: FleetSample;
  /** Number of the sample that came next: what it shows was after the kill, even where both have one time. */
  readonly beforeSample: number;
  readonly victim: string;
  readonly victimBytes: number;
  /** The request that the victim served. */
  readonly victimRequest: string | undefined;
  /** Who wanted the page that was not there, and the request that it served. */
  readonly asker: string | undefined;
  readonly askerRequest: string | undefined;
  /** The group whose limit was met; undefined: all memory. */
  readonly group: string | undefined;
  readonly anonBytes: number;
  readonly cacheBytes: number;
  readonly shmemBytes: number;
  readonly kernelBytes: number;
  readonly inProgress: readonly InProgress[];
  /** What was needed most at once before, and passed; nothing where nothing was. */
  readonly passed: PassedBurst | undefined;
}

/** Requests in progress that had what they needed. */
export interface PassedBurst {
  readonly atUs: number;
  readonly bytes: number;
  /** The sample before them. */
  readonly before: FleetSample;
}

/** Kills after which a machine is not followed any further. */
export const MOST_KILLS = 400;
const BREATH_MS = 100;

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Whether the commands of the machine are kept. */
  readonly keepsScript?: boolean;
  /** What is asked is whether anybody is killed: then nobody looks at what the machine holds. At once: nor at who else is. */
  readonly trial?: 'whole' | 'at once';
}

/** Follows the machine through time: from sample to sample, and in between to what could change it. */
export class Follower {
  readonly driver: MachineDriver;
  readonly samples: FleetSample[] = [];
  readonly events: FleetEvent[] = [];
  private readonly scenario: Scenario;
  private readonly pools: readonly PoolRun[];
  private readonly samplesUs: Float64Array;
  /** Of each pool. */
  readonly processes: PoolProcesses[] = [];
  readonly services: { readonly process: ServiceProcess; readonly events: ServiceEvent[]; next: number }[];
  private moments: (Moment | undefined)[] = [];
  firstKill: FirstKill | undefined;
  private readonly requestNames: readonly string[];
  /** While what is in progress is played: the time of that. */
  private playingUs: number | undefined;
  private kills = 0;
  /** Of each pool and slot: when its process was killed last. */
  private readonly killedUs: Map<number, number>[] = [];
  private lowestBytes = Infinity;
  readonly worst: WorstMoments;
  private readonly signal: AbortSignal | undefined;
  private readonly trial: FollowOptions['trial'];

  constructor(scenario: Scenario, pools: readonly PoolRun[], samplesUs: Float64Array, options: FollowOptions) {
    this.scenario = scenario;
    this.pools = pools;
    this.samplesUs = samplesUs;
    this.signal = options.signal;
    this.trial = options.trial;
    this.requestNames = scenario.requests.map(({ name }) => name);
    this.driver = new MachineDriver(scenario, options.keepsScript);
    this.worst = new WorstMoments(scenario, this.driver);
    this.driver.run.k.hooks.oomKill = () => {
      this.worst.noteKill();
      this.firstKill ??= this.killNow();
    };
    this.services = scenario.services.map((service) => {
      const process = new ServiceProcess(service, this.driver);
      return { process, events: process.events(samplesUs.at(-1)!), next: 0 };
    });
  }

  /** All that is there from the start comes to be. */
  private *begin(): Generator<void, void> {
    for (const { process } of this.services) yield* process.start();
    for (const { pool, forkedHeap } of this.pools)
      this.processes.push(new PoolProcesses(pool, this.driver, forkedHeap));
    this.noteDeaths();
    for (const pool of this.pools) {
      const { refused, refusedUs } = pool.schedule;
      if (refusedUs)
        this.events.push({
          atUs: refusedUs[0],
          kind: 'refused',
          who: pool.pool.name,
          text: `${refused} requests found the backlog of ${pool.pool.name} full`,
        });
    }
  }

  /** @returns whether it ended before its time. Throws Interrupted where the signal comes before anything is there to be told. */
  async follow(onProgress: (share: number) => void): Promise<boolean> {
    // Where heaps were not played to their end the start alone is told, after the signal.
    await breathing(this.begin(), this.signal?.aborted ? undefined : this.signal);
    this.moments = await breathing(highestMoments(this.pools, this.samplesUs));
    const isCut = await this.followSamples(onProgress);
    const isOver = () => isCut || this.signal?.aborted === true;
    if (this.trial && this.kills > 0) return isOver();
    for (const pool of this.pools) await breathing(pool.settle(isOver));
    return isOver();
  }

  private async followSamples(onProgress: (share: number) => void): Promise<boolean> {
    for (let sample = 0, breathedMs = 0; sample < this.samplesUs.length; sample++) {
      const us = this.samplesUs[sample]!;
      const needs = this.playMoment(this.momentBefore(sample), sample);
      this.serve(us);
      this.driver.passTo(us);
      this.bringAll(sample);
      this.noteLowest();
      this.samples.push(
        takeSample(this.driver, this.scenario, us, {
          withinPeakBytes: (this.momentBefore(sample)?.pages ?? 0) * 4096,
          withinBytes: this.processes.map(({ inProgressPages }) => inProgressPages * 4096),
          lowestAvailableBytes: this.lowestBytes,
        }),
      );
      this.lowestBytes = Infinity;
      this.worst.noteSample(this.samples.at(-1)!, needs);
      if (this.signal?.aborted) return true;
      if (this.kills >= MOST_KILLS) return true;
      if (this.kills > 0 && this.trial === 'at once') return true;
      if (performance.now() - breathedMs < BREATH_MS) continue;
      onProgress(sample / this.samplesUs.length);
      await new Promise((resolve) => setImmediate(resolve));
      breathedMs = performance.now();
    }
    return false;
  }

  /** What is in progress at most before a sample; requests that ended with their process are not. */
  private momentBefore(sample: number): Moment | undefined {
    const moment = this.moments[sample];
    if (!moment || this.kills === 0) return moment;
    return withoutSome(moment, ({ pool, slot, startUs }) => startUs <= (this.killedUs[pool]?.get(slot) ?? -1));
  }

  /** `needs`: of requests that could have what they need without anything else happening. */
  private noteLowest(needs?: MomentNeeds): void {
    const availableBytes = Math.max(0, (siMemAvailable(this.driver.run.k) - (needs?.pages ?? 0)) * 4096);
    this.lowestBytes = Math.min(this.lowestBytes, availableBytes);
    if (!this.trial && this.kills === 0)
      this.worst.note(this.playingUs ?? needs?.atUs ?? this.driver.nowUs, availableBytes, needs);
  }

  private serve(untilUs: number): void {
    for (;;) {
      const due = this.services.filter(({ events, next }) => (events[next]?.atUs ?? Infinity) <= untilUs);
      if (due.length === 0) return;
      const first = due.reduce((x, y) => (y.events[y.next]!.atUs < x.events[x.next]!.atUs ? y : x));
      const event = first.events[first.next++]!;
      this.driver.passTo(event.atUs);
      first.process.do(event);
      this.noteLowest();
      this.noteDeaths();
    }
  }

  /**
   * What the requests in progress need beyond what was there at the sample before. Where they could not simply have it they take it: memory is
   * reclaimed, or somebody is killed.
   */
  private playMoment(moment: Moment | undefined, sample: number): MomentNeeds | undefined {
    if (!moment) return undefined;
    const needs = needsOf(moment, this.processes);
    if (!this.isTight(needs)) {
      this.noteLowest(needs);
      return needs;
    }
    this.driver.passTo(moment.atUs);
    this.playingUs = moment.atUs;
    this.processes.forEach((own, i) => {
      own.endOthers(new Set(moment.running.flatMap(({ pool, slot }) => (pool === i ? [slot] : []))));
    });
    // Whoever is killed in what follows does not begin again in it.
    for (const { pool, slot } of moment.running.filter((one) => !this.processes[one.pool]!.has(one.slot))) {
      this.processes[pool]!.bring(slot, this.begunAt(this.pools[pool]!, slot, sample, moment.atUs));
      this.noteDeaths();
    }
    for (const { pool, slot, peakPages } of moment.running) {
      this.processes[pool]!.setWithin(slot, this.processes[pool]!.needed(slot, peakPages));
      this.noteDeaths();
      this.noteLowest();
    }
    for (const { pool, slot } of moment.running) this.processes[pool]!.setWithin(slot, 0);
    this.noteDeaths();
    this.playingUs = undefined;
    return needs;
  }

  /** A process that begins before a sample, as one that has served nobody; that of the sample, if it is there then. */
  private begunAt(pool: PoolRun, slot: number, sample: number, us: number): WorkerTarget {
    pool.playTo(slot, sample);
    return {
      generation: pool.timelines[slot]!.generation[sample]!,
      layout: pool.startLayout!,
      withinPages: 0,
      ownPages: 0,
      first: NOTHING_WRITTEN,
      begun: firstAfter(pool.tasks[slot]!.startUs, us),
    };
  }

  private isTight(needs: MomentNeeds): boolean {
    const { k, groups } = this.driver.run;
    const kept = k.zones.reduce((sum, zone) => sum + zone.high + zone.boost, 0);
    if (nrFreePages(k) - kept < needs.pages) return true;
    return this.pools.some(({ pool }) => {
      for (
        let group = pool.group === undefined ? null : (groups.get(pool.group) ?? null);
        group;
        group = group.parent
      ) {
        const limit = Math.min(group.max, group.high);
        if (limit !== NO_LIMIT && limit - group.usage < this.neededIn(group, needs)) return true;
      }
      return false;
    });
  }

  /** All pools below a group have what they need of it. */
  private neededIn(group: MemCgroup, { poolPages }: MomentNeeds): number {
    const below = new Set(group.subtree());
    const { groups } = this.driver.run;
    return this.pools.reduce((sum, { pool }, i) => {
      const own = pool.group === undefined ? undefined : groups.get(pool.group);
      return own && below.has(own) ? sum + poolPages[i]! : sum;
    }, 0);
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

  /** What the slot's process is to have at a sample; undefined where there is none. */
  target(pool: PoolRun, slot: number, sample: number): WorkerTarget | undefined {
    pool.playTo(slot, sample);
    const layout = pool.layoutAt(slot, sample);
    if (!layout) return undefined;
    const timeline = pool.timelines[slot]!;
    const ownPages = pool.ownPreloadPages(slot, sample);
    return {
      generation: timeline.generation[sample]!,
      layout,
      withinPages: timeline.withinPages[sample]!,
      ownPages,
      first: pool.firstWrites(slot, sample),
      begun: firstAfter(pool.tasks[slot]!.startUs, this.samplesUs[sample]!),
    };
  }

  private killNow(): FirstKill {
    const { driver, scenario, pools, requestNames } = this;
    const us = this.playingUs ?? driver.nowUs;
    const { victim, asker, rssPages, group, ...pages } = driver.run.k.oomKills.at(-1)!;
    return {
      sample: takeSample(driver, scenario, us, MOMENT),
      beforeSample: this.samples.length,
      victim,
      victimBytes: rssPages * 4096,
      victimRequest: this.servedBy(victim, us),
      asker,
      askerRequest: asker === undefined ? undefined : this.servedBy(asker, us),
      group,
      anonBytes: pages.anonPages * 4096,
      cacheBytes: pages.cachePages * 4096,
      shmemBytes: pages.shmemPages * 4096,
      kernelBytes: pages.kernelPages * 4096,
      inProgress: inProgressAt(pools, us, requestNames),
      passed: this.passedBefore(group),
    };
  }

  /** In a group, or in all. The moment of the sample that is under way is the one that does not pass. */
  private passedBefore(group: string | undefined): PassedBurst | undefined {
    const { scenario, samples } = this;
    const isCounted = scenario.pools.map((pool) => group === undefined || isWithin(pool.group, group));
    let found: PassedBurst | undefined;
    for (let sample = 1; sample < samples.length; sample++) {
      const moment = this.moments[sample];
      const pages = moment?.poolPages.reduce((sum, own, i) => sum + (isCounted[i] ? own : 0), 0) ?? 0;
      if (pages * 4096 <= (found?.bytes ?? 0)) continue;
      found = { atUs: moment!.atUs, bytes: pages * 4096, before: samples[sample - 1]! };
    }
    return found;
  }

  /** The request that a process serves. */
  private servedBy(name: string, us: number): string | undefined {
    for (const [p, pool] of this.pools.entries()) {
      const slot = pool.tasks.findIndex((_, i) => this.processes[p]?.nameOf(i) === name);
      if (slot >= 0) return requestAt(pool, slot, us, this.requestNames);
    }
    return undefined;
  }

  private textOf(name: string, served: string | undefined): string {
    if (served !== undefined) return `${name}, serving ${served}`;
    if (this.pools.some(({ pool }) => pool.name === name))
      return `${name}, the master: its pool serves nobody any more`;
    const isService = this.services.some(({ process }) => process.service.name === name);
    return isService ? `${name}, which is not started again` : name;
  }

  private noteDeaths(): void {
    for (const { name, what, atUs } of this.driver.takeRefusals())
      this.events.push({ atUs, kind: 'no-memory', who: name, text: `${name} was refused ${what}` });
    for (const { name, atUs, isKill } of this.driver.takeDeaths()) {
      if (isKill) this.kills++;
      const us = Math.min(atUs, this.samplesUs.at(-1)!);
      const request = this.servedBy(name, this.playingUs ?? us);
      const who = this.textOf(name, request);
      this.events.push({
        // As the first kill has it: the moment, not how long the machine took over it.
        atUs: this.playingUs ?? us,
        kind: isKill ? 'oom-kill' : 'no-memory',
        who: name,
        ...(request !== undefined && { request }),
        text: isKill
          ? `the kernel killed ${who}`
          : `${who}${request === undefined ? '' : ','} was refused memory that it needed, and died`,
      });
      this.pools.forEach((pool, p) => {
        const slot = pool.tasks.findIndex((_, i) => this.processes[p]!.nameOf(i) === name);
        if (slot < 0) return;
        this.processes[p]!.forget(slot);
        pool.kill(slot, us);
        this.killedUs[p] ??= new Map();
        this.killedUs[p].set(slot, us);
      });
    }
  }
}
