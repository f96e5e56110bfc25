import type { Scenario } from '../scenario/scenario.ts';
import type { MachineDriver } from './machine-driver.ts';
import type { MomentNeeds } from './moment-needs.ts';
import { type FleetSample, isWorkerOf, takeSample } from './sample.ts';

/** The least that was available, of the machine or of a group, as long as nobody was killed. */
export interface LowestMoment {
  readonly atUs: number;
  readonly availableBytes: number;
  /** The machine then; what follows is not in it. */
  readonly sample: FleetSample;
  /** Of each pool, what its requests in progress need beyond the sample. */
  readonly moreBytes: readonly number[];
  /** Of each pool, its largest process with what its request needs. */
  readonly largestBytes: readonly number[];
}

/** When least was left of a group's limit, without its page cache. */
export interface LowestInGroup extends LowestMoment {
  readonly group: string;
}

/** What is told of the time between samples, of a moment in it. */
export const MOMENT = { withinPeakBytes: 0, withinBytes: [], lowestAvailableBytes: Infinity } as const;

/** Above this share of memory nobody asks for the moment. */
const LOW = 0.2;

/** The worst that is met between samples too: of the machine, of each group, of each pool. */
export class WorstMoments {
  lowest: LowestMoment | undefined;
  /** Of the group of which the smallest share was left. */
  lowestInGroup: LowestInGroup | undefined;
  /** By group: the most that it held beside page cache. */
  readonly firmBytes = new Map<string, number>();
  /** By pool, in the scenario's order: the most private memory of its workers together. */
  readonly privateBytes: number[];
  /** … and of all pools' workers at once. */
  allPrivateBytes = 0;
  private readonly scenario: Scenario;
  private readonly driver: MachineDriver;
  private readonly before: number[] = [];
  private leastShare = LOW;
  private kills = 0;
  private killsBefore = 0;

  constructor(scenario: Scenario, driver: MachineDriver) {
    this.scenario = scenario;
    this.driver = driver;
    this.privateBytes = scenario.pools.map(() => 0);
  }

  /** `needs`: of requests whose memory is not there yet. */
  note(atUs: number, availableBytes: number, needs: MomentNeeds | undefined): void {
    const tight = this.noteGroups(needs);
    if (tight) this.lowestInGroup = { ...this.momentNow(atUs, tight.leftBytes, needs), group: tight.group };
    const { k } = this.driver.run;
    if (availableBytes >= Math.min(this.lowest?.availableBytes ?? Infinity, LOW * k.totalPages * 4096)) return;
    this.lowest = this.momentNow(atUs, availableBytes, needs);
  }

  private momentNow(atUs: number, availableBytes: number, needs: MomentNeeds | undefined): LowestMoment {
    const sample = this.sampleNow(atUs);
    const rss = new Map(sample.processes.map((p) => [p.name, p.anonBytes + p.fileBytes + p.shmemBytes]));
    const { pools } = this.scenario;
    const largestBytes = pools.map(({ name }) =>
      Math.max(0, ...[...rss].map(([process, bytes]) => (isWorkerOf(process, name) ? bytes : 0))),
    );
    for (const { pool, slot, pages } of needs?.slots ?? []) {
      const bytes = (rss.get(`${pools[pool]!.name}-${slot + 1}`) ?? 0) + pages * 4096;
      largestBytes[pool] = Math.max(largestBytes[pool]!, bytes);
    }
    const moreBytes = pools.map((_, i) => (needs?.poolPages[i] ?? 0) * 4096);
    return { atUs, availableBytes, sample, moreBytes, largestBytes };
  }

  /** Somebody is about to be killed. */
  noteKill(): void {
    this.kills++;
    this.noteGroups(undefined);
    this.notePrivate(this.sampleNow(this.driver.nowUs), undefined);
  }

  /** `needs`: of the moment since the sample before, beyond what there was at that. */
  noteSample(sample: FleetSample, needs: MomentNeeds | undefined): void {
    // Where somebody was killed, not all that the moment needed was had.
    const isWhole = this.kills === this.killsBefore;
    this.killsBefore = this.kills;
    this.notePrivate(sample, isWhole ? needs : undefined);
  }

  private notePrivate({ processes }: FleetSample, needs: MomentNeeds | undefined): void {
    let all = 0;
    this.scenario.pools.forEach(({ name }, i) => {
      const own = processes.reduce((sum, p) => sum + (isWorkerOf(p.name, name) ? p.privateAnonBytes : 0), 0);
      const then = needs ? (this.before[i] ?? 0) + needs.poolPages[i]! * 4096 : 0;
      this.before[i] = own;
      this.privateBytes[i] = Math.max(this.privateBytes[i]!, own, then);
      all += Math.max(own, then);
    });
    this.allPrivateBytes = Math.max(this.allPrivateBytes, all);
  }

  /** @returns the group of which a smaller share of its limit is left than ever before. */
  private noteGroups(needs: MomentNeeds | undefined): { group: string; leftBytes: number } | undefined {
    let tight: { group: string; leftBytes: number } | undefined;
    for (const [name, group] of this.driver.run.groups) {
      let pages = group.usage;
      for (const at of group.subtree()) pages -= (at.stat['file'] ?? 0) - (at.stat['shmem'] ?? 0);
      this.scenario.pools.forEach((pool, i) => {
        if (isWithin(pool.group, name)) pages += needs?.poolPages[i] ?? 0;
      });
      this.firmBytes.set(name, Math.max(this.firmBytes.get(name) ?? 0, pages * 4096));
      const leftShare = 1 - pages / group.max;
      if (leftShare >= this.leastShare) continue;
      this.leastShare = leftShare;
      tight = { group: name, leftBytes: Math.max(0, group.max - pages) * 4096 };
    }
    return tight;
  }

  private sampleNow(atUs: number): FleetSample {
    return takeSample(this.driver, this.scenario, atUs, MOMENT);
  }
}

/** Whether a group is another one, or below it. */
export const isWithin = (group: string | undefined, of: string): boolean =>
  group === of || group?.startsWith(`${of}/`) === true;
