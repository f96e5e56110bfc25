import { NO_LIMIT } from '../../machine/kernel/mem-cgroup.ts';
import { meminfo } from '../../machine/kernel/meminfo.ts';
import { proportionalSizes } from '../../machine/kernel/smaps.ts';
import { memoryStat } from '../../machine/script/sample.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { MachineDriver } from './machine-driver.ts';

/** What one process has, in bytes, as its smaps say; /proc/PID/status lags behind a little. */
export interface ProcessSample {
  readonly name: string;
  readonly pid: number;
  readonly anonBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  readonly swapBytes: number;
  /** Pss, Pss_Anon, and the part of Anonymous that nobody else maps. */
  readonly pssBytes: number;
  readonly pssAnonBytes: number;
  readonly privateAnonBytes: number;
  readonly sizeBytes: number;
  readonly tableBytes: number;
}

export interface GroupSample {
  readonly name: string;
  readonly currentBytes: number;
  readonly peakBytes: number;
  /** null: no limit. */
  readonly maxBytes: number | null;
  readonly highBytes: number | null;
  /** Of memory.stat, bytes. */
  readonly stat: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
}

/** The machine at one moment. */
export interface FleetSample {
  readonly atUs: number;
  /** /proc/meminfo, in bytes. */
  readonly meminfo: Readonly<Record<string, number>>;
  readonly processes: readonly ProcessSample[];
  readonly groups: readonly GroupSample[];
  readonly counters: Readonly<Record<string, number>>;
  /** Most of what running requests had at once since the sample before, beyond what their workers keep. */
  readonly withinPeakBytes: number;
  /** Of each pool, in the scenario's order: what requests in progress have now, beyond what their workers keep. */
  readonly withinBytes: readonly number[];
  /** MemAvailable at its lowest since the sample before. */
  readonly lowestAvailableBytes: number;
}

const COUNTERS = [
  'pgfault',
  'pgmajfault',
  'pswpin',
  'pswpout',
  'pgscan_kswapd',
  'pgscan_direct',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'workingset_refault_file',
  'oom_kill',
];
const GROUP_STATS = [
  'anon',
  'file',
  'shmem',
  'kernel',
  'slab',
  'slab_reclaimable',
  'pagetables',
  'file_dirty',
  'inactive_file',
  'active_file',
  'workingset_refault_file',
  'pgscan',
  'pgsteal',
];
/** Counts of pages or bytes: meminfo's lines without a unit. */
const COUNTED = new Set(['HugePages_Total', 'HugePages_Free', 'HugePages_Rsvd', 'HugePages_Surp']);

export function takeSample(
  driver: MachineDriver,
  scenario: Scenario,
  atUs: number,
  between: Pick<FleetSample, 'withinPeakBytes' | 'withinBytes' | 'lowestAvailableBytes'>,
): FleetSample {
  const { run } = driver;
  const { k } = run;
  const info = Object.fromEntries(
    Object.entries(meminfo(k)).map(([name, kb]) => [name, COUNTED.has(name) ? kb : kb * 1024]),
  );
  const vmstat = k.vmstat as unknown as Readonly<Record<string, number>>;
  const processes = run.processes
    .filter(({ alive }) => alive)
    .map(({ name, task }): ProcessSample => {
      // With what the process has counted for itself and not added yet (up to 63 pages of each, on 6.1).
      const [file, anon, swap, shmem] = task.mm.rss.map(
        (pages, i) => Math.max(0, pages + task.rssCache[i]!) * 4096,
      ) as [number, number, number, number];
      return {
        name,
        pid: task.pid,
        anonBytes: anon,
        fileBytes: file,
        shmemBytes: shmem,
        swapBytes: swap,
        ...proportionalSizes(k, task),
        sizeBytes: task.mm.totalVm * 4096,
        tableBytes: task.mm.tableBytes,
      };
    });
  const groups = scenario.cgroups.flatMap(({ name }): GroupSample[] => {
    const group = run.groups.get(name);
    if (!group) return [];
    const stat = memoryStat(run, group);
    return [
      {
        name,
        currentBytes: group.usage * 4096,
        peakBytes: group.peak * 4096,
        maxBytes: group.max === NO_LIMIT ? null : group.max * 4096,
        highBytes: group.high === NO_LIMIT ? null : group.high * 4096,
        stat: Object.fromEntries(GROUP_STATS.flatMap((key) => (stat[key] === undefined ? [] : [[key, stat[key]]]))),
        events: { ...group.events },
      },
    ];
  });
  return {
    atUs,
    meminfo: info,
    processes,
    groups,
    counters: Object.fromEntries(COUNTERS.map((name) => [name, vmstat[name] ?? 0])),
    withinPeakBytes: between.withinPeakBytes,
    withinBytes: between.withinBytes,
    lowestAvailableBytes: Math.min(between.lowestAvailableBytes, info['MemAvailable']!),
  };
}

/** Whether a process is one of a pool's workers, and not its master. */
export function isWorkerOf(process: string, pool: string): boolean {
  return process.startsWith(`${pool}-`) && /^\d+$/.test(process.slice(pool.length + 1));
}
