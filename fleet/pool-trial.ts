import type { MemCgroup } from '../machine/kernel/mem-cgroup.ts';
import { memoryStat } from '../machine/script/sample.ts';
import { Interrupted } from '../sim/contract/assert.ts';
import { residentPagesOf } from './engine/layout.ts';
import type { Follower } from './follower.ts';
import type { WorkerTarget } from './machine/pool-processes.ts';
import { NOTHING_WRITTEN } from './pool/first-requests.ts';
import type { PoolRun } from './pool/pool-run.ts';

/** What a machine was asked by trying. */
export interface Tried {
  /** Workers with which nobody is killed; with one more somebody is. */
  readonly fits: number;
  /** The smallest memory.max with which nobody is killed, in steps of LIMIT_STEP. */
  readonly limitBytes: number;
}

/** More workers than that no pool may have. */
const MOST_WORKERS = 4096;
export const LIMIT_STEP = 2 ** 20;
const PAGE = 4096;
const BREATH_MS = 100;
/** Pages beside the workers' own that a trial may be off by: tables, stocks of the groups. */
const START_ABOVE = 16 * LIMIT_STEP;

/**
 * Tries on a machine, as it is at the end, what a pool can have, whose workers keep what they kept at a sample: with as much as `demandPages` of requests in progress at once, and every service
 * in the middle of its snapshot. Somebody is killed in the end; the machine serves for nothing else then.
 */
export class PoolTrial {
  private readonly follower: Follower;
  private readonly index: number;
  private readonly pool: PoolRun;
  private readonly targets: (WorkerTarget | undefined)[];
  private readonly largest: WorkerTarget;
  private readonly demandPages: number;
  private readonly mostPages: number;
  private workers = 0;
  /** Of those that were to be had: how many were there before somebody was killed. */
  private started = 0;
  private killsSeen = 0;
  private signal: AbortSignal | undefined;
  private breathedMs = performance.now();

  /** `mostPages`: that one request may need. */
  constructor(
    follower: Follower,
    index: number,
    pool: PoolRun,
    sample: number,
    needs: { readonly demandPages: number; readonly mostPages: number },
  ) {
    this.follower = follower;
    this.index = index;
    this.pool = pool;
    this.demandPages = needs.demandPages;
    this.mostPages = needs.mostPages;
    this.targets = pool.tasks.map((_, slot) => {
      const target = follower.target(pool, slot, sample);
      return target && { ...target, withinPages: 0 };
    });
    const alive = this.targets.filter((target) => target !== undefined);
    const start: WorkerTarget = {
      generation: 1,
      layout: pool.startLayout!,
      withinPages: 0,
      ownPages: 0,
      first: NOTHING_WRITTEN,
      begun: 0,
    };
    this.largest = alive.reduce((x, y) => (ownPagesOf(y) > ownPagesOf(x) ? y : x), start);
  }

  /** `limited`: the pool's group, `maxBytes`: what it may have, even where it came here without a limit. undefined where more than its workers die of it. Throws Interrupted. */
  async run(
    limited: MemCgroup | undefined,
    maxBytes: number | undefined,
    fromWorkers: number,
    signal?: AbortSignal,
  ): Promise<Tried | undefined> {
    this.signal = signal;
    for (const { process } of this.follower.services) process.beginSnapshot();
    if (!this.isWhole()) return undefined;
    const limitBytes = limited ? await this.smallestLimit(limited, maxBytes) : 0;
    if (limitBytes === undefined) return undefined;
    const fits = await this.mostWorkers(fromWorkers);
    return fits === undefined ? undefined : { fits, limitBytes };
  }

  private async smallestLimit(group: MemCgroup, maxBytes: number | undefined): Promise<number | undefined> {
    const { driver } = this.follower;
    const limit = (bytes: number | undefined) =>
      driver.do(`cgroup ${group.name} max=${bytes === undefined ? 'max' : bytes}`);
    limit(undefined);
    await this.have(this.pool.pool.pm.max_children);
    await this.demand(true);
    const stat = memoryStat(driver.run, group);
    const cache = (stat['file'] ?? 0) - (stat['shmem'] ?? 0);
    await this.demand(false);
    if (!this.isWhole()) return undefined;
    let bytes =
      Math.ceil((group.usage * PAGE - cache + this.demandPages * PAGE) / LIMIT_STEP) * LIMIT_STEP + START_ABOVE;
    let isFound = false;
    // Up to where nobody is killed, then down to where somebody is.
    for (let steps = 0; steps < 400; steps++) {
      limit(bytes);
      await this.demand(true);
      await this.demand(false);
      const isKilled = this.hasDeaths();
      if (isKilled && !this.isWhole()) return undefined;
      if (isKilled) {
        limit(undefined);
        await this.have(this.pool.pool.pm.max_children);
        if (isFound) break;
        bytes += START_ABOVE;
      } else {
        isFound = true;
        bytes -= LIMIT_STEP;
      }
    }
    // All workers that the scenario has may be too many for it.
    if (maxBytes !== undefined) await this.have(1);
    limit(maxBytes);
    this.hasDeaths();
    return bytes + LIMIT_STEP;
  }

  /**
   * Tried from `from` on: in widening steps up while all live. Where somebody dies while workers are still being started, so many are too many
   * even without requests, and what requests need is taken off for the next try; from there in widening steps down. Then by halves.
   */
  private async mostWorkers(from: number): Promise<number | undefined> {
    let fits = 0;
    let tooMany = Infinity;
    let count = Math.max(1, from);
    for (let step = 1; tooMany - fits > 1; step *= 2) {
      if (!this.isWhole()) return undefined;
      const isFirst = tooMany === Infinity;
      if (await this.survives(count)) fits = count;
      else tooMany = Math.min(count, this.started + 1);
      if (tooMany === Infinity) {
        if (count === MOST_WORKERS) return undefined;
        count = Math.min(MOST_WORKERS, count + step);
      } else if (fits > 0) count = (fits + tooMany) >> 1;
      else {
        const forRequests = isFirst
          ? Math.ceil(this.demandPages / Math.max(1, residentPagesOf(this.largest.layout)))
          : 0;
        count = Math.max(1, tooMany - Math.max(step, forRequests));
      }
    }
    return fits;
  }

  private async survives(count: number): Promise<boolean> {
    await this.have(count);
    await this.demand(true);
    await this.demand(false);
    return !this.hasDeaths();
  }

  /** So many workers, each with what it keeps. */
  private async have(count: number): Promise<void> {
    const processes = this.follower.processes[this.index]!;
    for (let slot = Math.max(this.workers, this.targets.length) - 1; slot >= count; slot--) {
      processes.bring(slot, undefined);
      await this.breathe();
    }
    this.started = count;
    for (let slot = 0; slot < count; slot++) {
      processes.bring(slot, this.targets[slot] ?? this.largest);
      if (this.hasKilled()) {
        this.started = slot;
        break;
      }
      await this.breathe();
    }
    this.workers = count;
  }

  /** Requests begin in as many workers as it takes, or end. */
  private async demand(begins: boolean): Promise<void> {
    const processes = this.follower.processes[this.index]!;
    let left = begins ? this.demandPages : 0;
    for (let slot = 0; slot < this.workers && !(begins && this.hasKilled()); slot++) {
      const pages = Math.min(left, this.mostPages);
      processes.setWithin(slot, pages);
      left -= pages;
      await this.breathe();
    }
  }

  /** Where it is time, so that Ctrl-C is heard. */
  private async breathe(): Promise<void> {
    if (performance.now() - this.breathedMs < BREATH_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.breathedMs = performance.now();
    if (this.signal?.aborted) throw new Interrupted('interrupted');
  }

  /** That is an answer: what was to come after it need not be tried. */
  private hasKilled(): boolean {
    return this.follower.driver.kills > this.killsSeen;
  }

  private hasDeaths(): boolean {
    const { driver } = this.follower;
    this.killsSeen = driver.kills;
    driver.run.k.kmsg.length = 0; // a table of all processes for each kill, which nobody reads here
    driver.takeRefusals();
    const deaths = driver.takeDeaths();
    const processes = this.follower.processes[this.index]!;
    for (const { name } of deaths)
      for (let slot = 0; slot < this.workers; slot++) if (processes.nameOf(slot) === name) processes.forget(slot);
    return deaths.length > 0;
  }

  /** Whether all that are no workers of the pool live. */
  private isWhole(): boolean {
    const { driver, services, processes } = this.follower;
    this.hasDeaths();
    return (
      services.every(({ process }) => driver.isAlive(process.service.name)) &&
      processes.every(({ pool }) => driver.isAlive(pool.name))
    );
  }
}

function ownPagesOf({ layout, ownPages, first }: WorkerTarget): number {
  return residentPagesOf(layout) + ownPages + first.anonymousPages + first.copiedPages;
}
