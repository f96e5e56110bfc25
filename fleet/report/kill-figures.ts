import type { FirstKill } from '../follower.ts';
import type { FleetSample } from '../machine/sample.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** The machine when somebody was killed first, before anything was freed. Bytes. */
export interface KillFigures extends Omit<FirstKill, 'sample'> {
  readonly atUs: number;
  /** What could be had for requests before they began: what the machine or the group had left at the sample before, swap included. */
  readonly roomBytes: number;
  readonly availableBytes: number;
  readonly machineAnonBytes: number;
  readonly machineShmemBytes: number;
  readonly machineCacheBytes: number;
  readonly swapUsedBytes: number;
  readonly slabBytes: number;
  readonly pageTableBytes: number;
  /** In the scenario's order. */
  readonly pools: readonly { readonly privateBytes: number; readonly largestBytes: number }[];
  readonly groups: readonly { readonly currentBytes: number }[];
}

export function killFigures(kill: FirstKill, before: FleetSample, scenario: Scenario): KillFigures {
  const { sample, ...facts } = kill;
  const { meminfo, processes, groups } = sample;
  const info = (name: string) => meminfo[name] ?? 0;
  return {
    ...facts,
    atUs: sample.atUs,
    roomBytes: roomAt(before, kill.group),
    availableBytes: info('MemAvailable'),
    machineAnonBytes: info('AnonPages'),
    machineShmemBytes: info('Shmem'),
    machineCacheBytes: info('Cached') - info('Shmem') + info('Buffers'),
    swapUsedBytes: info('SwapTotal') - info('SwapFree'),
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
  };
}

/** Whether a process is one of a pool's workers, and not its master. */
export function isWorkerOf(process: string, pool: string): boolean {
  return process.startsWith(`${pool}-`) && /^\d+$/.test(process.slice(pool.length + 1));
}

function roomAt({ meminfo, groups }: FleetSample, group: string | undefined): number {
  const swap = meminfo['SwapFree'] ?? 0;
  const own = groups.find(({ name }) => name === group);
  if (!own || own.maxBytes === null) return (meminfo['MemAvailable'] ?? 0) + swap;
  const cache = (own.stat['file'] ?? 0) - (own.stat['shmem'] ?? 0);
  return Math.max(0, own.maxBytes - own.currentBytes + cache) + swap;
}
