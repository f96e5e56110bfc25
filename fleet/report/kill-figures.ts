import type { FirstKill } from '../follower.ts';
import { type FleetSample, isWorkerOf } from '../machine/sample.ts';
import { isWithin, type LowestInGroup, type LowestMoment } from '../machine/worst-moments.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** The machine at a moment between samples. Bytes. */
export interface MomentFigures {
  readonly atUs: number;
  readonly availableBytes: number;
  readonly machineAnonBytes: number;
  readonly machineShmemBytes: number;
  readonly machineCacheBytes: number;
  readonly swapUsedBytes: number;
  /** Whose oom_score was the highest: by memory and oom_score_adj. */
  readonly likeliestVictim: string | undefined;
  readonly slabBytes: number;
  readonly pageTableBytes: number;
  /** In the scenario's order. */
  readonly pools: readonly { readonly privateBytes: number; readonly largestBytes: number }[];
  readonly groups: readonly { readonly currentBytes: number }[];
  /** Of each service, with its child while that writes a snapshot: Pss, which counts what they share once. */
  readonly services: readonly { readonly pssBytes: number }[];
}

/** When somebody was killed first, before anything was freed. */
export interface KillFigures extends Omit<FirstKill, 'sample' | 'passed'>, MomentFigures {
  /** What could be had for requests: what the machine or the group had left at the sample before beside what workers keep, swap included. */
  readonly roomBytes: number;
  /** The most that was needed at once before, and passed, with the room that there was for it. */
  readonly passed: { readonly atUs: number; readonly bytes: number; readonly roomBytes: number } | undefined;
}

export function killFigures(kill: FirstKill, before: FleetSample, scenario: Scenario): KillFigures {
  const { sample, passed, ...facts } = kill;
  return {
    ...facts,
    ...momentFigures(sample, scenario),
    roomBytes: roomAt(before, kill.group, scenario),
    passed: passed && {
      atUs: passed.atUs,
      bytes: passed.bytes,
      roomBytes: roomAt(passed.before, kill.group, scenario),
    },
  };
}

/** With what requests in progress need beyond the sample. */
export function lowestFigures(lowest: LowestMoment, scenario: Scenario): MomentFigures {
  const { atUs, availableBytes, sample, moreBytes, largestBytes } = lowest;
  const figures = momentFigures(sample, scenario);
  const more = (isCounted: (group: string | undefined) => boolean) =>
    scenario.pools.reduce((sum, { group }, i) => sum + (isCounted(group) ? moreBytes[i]! : 0), 0);
  return {
    ...figures,
    atUs,
    availableBytes,
    machineAnonBytes: figures.machineAnonBytes + more(() => true),
    pools: figures.pools.map(({ privateBytes }, i) => ({
      privateBytes: privateBytes + moreBytes[i]!,
      largestBytes: largestBytes[i]!,
    })),
    groups: figures.groups.map(({ currentBytes }, i) => ({
      currentBytes: currentBytes + more((group) => isWithin(group, scenario.cgroups[i]!.name)),
    })),
  };
}

/** In its group; what the machine has available is what it had, less what the requests need. */
export function lowestGroupFigures(lowest: LowestInGroup, scenario: Scenario): MomentFigures & { group: string } {
  const needed = lowest.moreBytes.reduce((sum, own) => sum + own, 0);
  const availableBytes = Math.max(0, (lowest.sample.meminfo['MemAvailable'] ?? 0) - needed);
  return { ...lowestFigures({ ...lowest, availableBytes }, scenario), group: lowest.group };
}

/** oom_badness, of equals the last as the kernel has it. */
function likeliestVictim({ meminfo, processes }: FleetSample, { pools, services }: Scenario): string | undefined {
  const totalBytes = (meminfo['MemTotal'] ?? 0) + (meminfo['SwapTotal'] ?? 0);
  const adjOf = (process: string) =>
    pools.find(({ name }) => isWorkerOf(process, name))?.oom_score_adj ??
    services.find(({ name }) => process === name || process === `${name}-snapshot`)?.oom_score_adj ??
    0;
  let victim: string | undefined;
  let most = -Infinity;
  for (const { name, anonBytes, fileBytes, shmemBytes, swapBytes, tableBytes } of processes) {
    const adj = adjOf(name);
    const points = anonBytes + fileBytes + shmemBytes + swapBytes + tableBytes + (adj * totalBytes) / 1000;
    if (adj === -1000 || points < most) continue;
    most = points;
    victim = name;
  }
  return victim;
}

function momentFigures(sample: FleetSample, scenario: Scenario): MomentFigures {
  const { atUs, meminfo, processes, groups } = sample;
  const info = (name: string) => meminfo[name] ?? 0;
  return {
    atUs,
    availableBytes: info('MemAvailable'),
    machineAnonBytes: info('AnonPages'),
    machineShmemBytes: info('Shmem'),
    machineCacheBytes: info('Cached') - info('Shmem') + info('Buffers'),
    swapUsedBytes: info('SwapTotal') - info('SwapFree'),
    likeliestVictim: likeliestVictim(sample, scenario),
    slabBytes: info('Slab'),
    pageTableBytes: info('PageTables'),
    pools: scenario.pools.map(({ name }) => {
      const own = processes.filter((process) => isWorkerOf(process.name, name));
      return {
        privateBytes: own.reduce((sum, p) => sum + p.privateAnonBytes, 0),
        largestBytes: Math.max(0, ...own.map((p) => p.anonBytes + p.fileBytes + p.shmemBytes)),
      };
    }),
    groups: scenario.cgroups.map(({ name }) => ({
      currentBytes: groups.find((group) => group.name === name)?.currentBytes ?? 0,
    })),
    services: scenario.services.map(({ name }) => ({
      pssBytes: processes.reduce(
        (sum, p) => sum + (p.name === name || p.name === `${name}-snapshot` ? p.pssBytes : 0),
        0,
      ),
    })),
  };
}

function roomAt({ meminfo, groups, withinBytes }: FleetSample, group: string | undefined, { pools }: Scenario): number {
  const swap = meminfo['SwapFree'] ?? 0;
  const own = groups.find(({ name }) => name === group);
  // What was in progress then has ended, or is counted among what is in progress.
  const within = withinBytes.reduce((sum, held, i) => {
    return !own || isWithin(pools[i]!.group, own.name) ? sum + held : sum;
  }, 0);
  if (!own || own.maxBytes === null) return (meminfo['MemAvailable'] ?? 0) + within + swap;
  const cache = (own.stat['file'] ?? 0) - (own.stat['shmem'] ?? 0);
  return Math.max(0, own.maxBytes - own.currentBytes + cache + within) + swap;
}
