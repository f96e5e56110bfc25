import { durationUs } from '../../sim/contract/quantities.ts';
import { createTimers, type Timers } from '../../sim/time/ready-queue.ts';
import { BREATH_STEPS } from '../../workloads/breathing.ts';
import type { Arrivals } from '../requests/arrivals.ts';
import type { PoolFile } from '../scenario/scenario.ts';

/** Why a process ended by the pool's own rules. */
export type Ending = 'running' | 'max_requests' | 'idle';

/** One process in a worker's place, from its fork to its end. */
export interface Life {
  readonly bornUs: number;
  /** Infinity: it outlives the scenario. */
  endUs: number;
  ending: Ending;
  /** Its requests: from `first` to before `last` of the slot's. */
  readonly first: number;
  last: number;
}

/** A place for a worker: the processes that held it, and what they served. */
export interface Slot {
  readonly lives: Life[];
  /** Of each request: its index among the arrivals, and when it began and ended. */
  readonly arrival: number[];
  readonly startUs: number[];
  readonly endUs: number[];
}

/** Who serves what, when: the process manager's part, which does not depend on memory. */
export interface Schedule {
  readonly slots: Slot[];
  /** Requests refused since the backlog was full, and those not begun by the end. */
  readonly refused: number;
  /** The first and the last of them. */
  readonly refusedUs: readonly [number, number] | undefined;
  readonly unserved: number;
  /** Waiting time of each request that was served, in the order of their beginning. */
  readonly waitUs: Float64Array;
  readonly mostBusy: number;
}

/** fpm_pctl: idle workers are counted once a second. */
const MAINTENANCE_US = 1e6;
/** FPM_MAX_SPAWN_RATE */
const MAX_SPAWN_RATE = 32;

/**
 * Gives the requests of one pool to its workers. A request goes to the worker that has waited longest, as the kernel wakes those who wait in
 * accept. A process that ends is replaced at once where the pool wants one. In steps, so that whoever waits may breathe.
 */
export function schedulePool(
  pool: PoolFile,
  arrivals: Arrivals,
  isOwn: (kind: number) => boolean,
  endUs: number,
): Generator<void, Schedule> {
  return new Manager(pool, arrivals, isOwn, endUs).run();
}

class Manager {
  private readonly slots: Slot[] = [];
  /** Slots without a process, lowest last. */
  private readonly vacant: number[] = [];
  /** Idle workers with the numbers of their turns, who has waited longest first; a turn that is over is skipped. */
  private readonly idle: { readonly number: number; readonly turn: number }[] = [];
  private readonly turn: number[] = [];
  private turns = 0;
  private idleHead = 0;
  private readonly idleSince: number[] = [];
  private readonly isIdle: boolean[] = [];
  private readonly served: number[] = [];
  /** When workers are done. */
  private readonly agenda: Timers;
  private readonly queue: number[] = [];
  private queueHead = 0;
  private alive = 0;
  private idleCount = 0;
  private spawnRate = 1;
  private refused = 0;
  private refusedUs: [number, number] | undefined;
  private mostBusy = 0;
  private readonly waits: number[] = [];
  private readonly pool: PoolFile;
  private readonly arrivals: Arrivals;
  private readonly isOwn: (kind: number) => boolean;
  private readonly endUs: number;

  constructor(pool: PoolFile, arrivals: Arrivals, isOwn: (kind: number) => boolean, endUs: number) {
    this.pool = pool;
    this.arrivals = arrivals;
    this.isOwn = isOwn;
    this.endUs = endUs;
    this.agenda = createTimers(pool.pm.max_children);
    for (let slot = pool.pm.max_children - 1; slot >= 0; slot--) this.vacant.push(slot);
  }

  *run(): Generator<void, Schedule> {
    const { pm } = this.pool;
    const { atUs, kind, count } = this.arrivals;
    const { min_spare_servers: low = 1, max_spare_servers: high = pm.max_children } = pm;
    const atStart =
      pm.mode === 'static'
        ? pm.max_children
        : pm.mode === 'ondemand'
          ? 0
          : (pm.start_servers ?? Math.floor((low + high) / 2));
    for (let i = 0; i < atStart; i++) this.spawn(0);
    let maintenanceUs = pm.mode === 'static' ? Infinity : MAINTENANCE_US;
    for (let next = 0, steps = 0; ; ) {
      if (++steps % BREATH_STEPS === 0) yield;
      while (next < count && !this.isOwn(kind[next]!)) next++;
      const arrivalUs = next < count ? atUs[next]! : Infinity;
      const nowUs = Math.min(arrivalUs, this.agenda.next[0]!, maintenanceUs);
      if (nowUs >= this.endUs) break;
      if (this.agenda.next[0]! === nowUs) this.finish(this.agenda.take(), nowUs);
      else if (arrivalUs === nowUs) this.arrive(next++, nowUs);
      else {
        this.maintain(nowUs, low, high);
        maintenanceUs += MAINTENANCE_US;
        // Nothing changes until the next event: the seconds between are skipped.
        if (this.isSteady(low, high))
          maintenanceUs = Math.max(
            maintenanceUs,
            Math.ceil(Math.min(arrivalUs, this.agenda.next[0]!, this.endUs) / MAINTENANCE_US) * MAINTENANCE_US,
          );
      }
    }
    return {
      slots: this.slots,
      refused: this.refused,
      refusedUs: this.refusedUs,
      unserved: this.queue.length - this.queueHead,
      waitUs: Float64Array.from(this.waits),
      mostBusy: this.mostBusy,
    };
  }

  private spawn(nowUs: number): void {
    const number = this.vacant.pop()!;
    this.slots[number] ??= { lives: [], arrival: [], startUs: [], endUs: [] };
    this.begin(number, nowUs);
    this.alive++;
    this.rest(number, nowUs);
  }

  private begin(number: number, nowUs: number): void {
    const slot = this.slots[number]!;
    const first = slot.arrival.length;
    slot.lives.push({ bornUs: nowUs, endUs: Infinity, ending: 'running', first, last: first });
    this.served[number] = 0;
  }

  private end(number: number, nowUs: number, ending: Ending): void {
    const life = this.slots[number]!.lives.at(-1)!;
    life.endUs = nowUs;
    life.ending = ending;
  }

  private rest(number: number, nowUs: number): void {
    this.isIdle[number] = true;
    this.idleSince[number] = nowUs;
    this.idleCount++;
    this.turn[number] = ++this.turns;
    this.idle.push({ number, turn: this.turns });
  }

  private longestIdle(): number | undefined {
    if (this.idleHead > 4096 && this.idleHead * 2 > this.idle.length) {
      this.idle.splice(0, this.idleHead);
      this.idleHead = 0;
    }
    for (; this.idleHead < this.idle.length; this.idleHead++) {
      const { number, turn } = this.idle[this.idleHead]!;
      if (this.isIdle[number] && this.turn[number] === turn) return number;
    }
    return undefined;
  }

  private arrive(index: number, nowUs: number): void {
    if (this.longestIdle() === undefined && this.pool.pm.mode === 'ondemand' && this.vacant.length > 0)
      this.spawn(nowUs);
    const worker = this.longestIdle();
    if (worker !== undefined) this.take(worker, index, nowUs);
    else if (this.queue.length - this.queueHead < this.pool.pm.backlog) this.queue.push(index);
    else {
      this.refused++;
      this.refusedUs = [this.refusedUs?.[0] ?? nowUs, nowUs];
    }
  }

  private take(number: number, index: number, nowUs: number): void {
    this.isIdle[number] = false;
    this.idleCount--;
    this.work(number, index, nowUs);
  }

  private work(number: number, index: number, nowUs: number): void {
    const slot = this.slots[number]!;
    const doneUs = nowUs + this.arrivals.busyUs[index]!;
    slot.arrival.push(index);
    slot.startUs.push(nowUs);
    slot.endUs.push(doneUs);
    slot.lives.at(-1)!.last = slot.arrival.length;
    this.waits.push(nowUs - this.arrivals.atUs[index]!);
    this.agenda.add(doneUs, number);
    this.mostBusy = Math.max(this.mostBusy, this.alive - this.idleCount);
  }

  private finish(number: number, nowUs: number): void {
    const { max_requests: most } = this.pool.pm;
    this.served[number]!++;
    if (most > 0 && this.served[number]! >= most) {
      this.end(number, nowUs, 'max_requests');
      this.begin(number, nowUs);
    }
    if (this.queueHead < this.queue.length) this.work(number, this.queue[this.queueHead++]!, nowUs);
    else this.rest(number, nowUs);
  }

  /** fpm_pctl_perform_idle_server_maintenance. */
  private maintain(nowUs: number, low: number, high: number): void {
    const { pm } = this.pool;
    if (pm.mode === 'ondemand') {
      const number = this.longestIdle();
      if (number !== undefined && nowUs - this.idleSince[number]! >= durationUs(pm.process_idle_timeout)!)
        this.retire(number, nowUs);
      return;
    }
    if (this.idleCount > high) {
      this.retire(this.oldestIdle(), nowUs);
      this.spawnRate = 1;
    } else if (this.idleCount < low && this.vacant.length > 0) {
      const wanted = Math.min(this.spawnRate, low - this.idleCount, this.vacant.length);
      for (let i = 0; i < wanted; i++) this.spawn(nowUs);
      this.spawnRate = Math.min(MAX_SPAWN_RATE, this.spawnRate * 2);
      while (this.queueHead < this.queue.length) {
        const number = this.longestIdle();
        if (number === undefined) break;
        this.take(number, this.queue[this.queueHead++]!, nowUs);
      }
    } else this.spawnRate = 1;
  }

  /** Of the idle ones, whose process was started first. */
  private oldestIdle(): number {
    let oldest = -1;
    this.slots.forEach(({ lives }, number) => {
      if (this.isIdle[number] && (oldest < 0 || lives.at(-1)!.bornUs < this.slots[oldest]!.lives.at(-1)!.bornUs))
        oldest = number;
    });
    return oldest;
  }

  private retire(number: number, nowUs: number): void {
    this.isIdle[number] = false;
    this.idleCount--;
    this.alive--;
    this.end(number, nowUs, 'idle');
    this.vacant.push(number);
    this.vacant.sort((x, y) => y - x);
  }

  private isSteady(low: number, high: number): boolean {
    if (this.pool.pm.mode === 'ondemand') return this.idleCount === 0;
    return this.idleCount <= high && (this.idleCount >= low || this.vacant.length === 0);
  }
}
