/** `set PATH VALUE`: what /proc/sys and /sys take. */
import { lookup } from '../../sim/contract/lookup.ts';
import { setRatelimit } from '../kernel/dirty-limits.ts';
import { setMaxHugePages } from '../kernel/hugetlb.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { khugepagedWake } from '../kernel/khugepaged-slots.ts';
import { isPidMax } from '../kernel/pid.ts';
import { HZ } from '../kernel/timer.ts';
import { setupZones } from '../kernel/zone.ts';
import { dropCaches } from './files.ts';
import { isGroupFile, setGroupFile } from './group-commands.ts';
import type { MachineRun } from './machine-run.ts';

const THP = '/sys/kernel/mm/transparent_hugepage/';

/** What sysctl_max_threads takes. */
const FUTEX_TID_MASK = 0x3fffffff;

/** 4 keeps the log silent; no more is known. */
export const isDropCaches = (what: number): boolean => what >= 1 && what <= 4;

/** A parameter of /proc/sys: what it does with a number, and which numbers it takes (all, where that is not said). */
interface Parameter {
  readonly takes?: (value: number) => boolean;
  readonly set: (run: MachineRun, value: number) => void;
  readonly get?: (k: Kernel) => number;
}

const percent = (value: number): boolean => value >= 0 && value <= 100;
const ticks = (centiseconds: number): number => Math.floor((centiseconds * HZ) / 100);
/** dirty_bytes_min: two pages. */
const DIRTY_BYTES_MIN = 2 * 4096;

function changeDirty(k: Kernel, bytes: number, ratio: number): void {
  if (bytes === k.dirtyBytes && ratio === k.dirtyRatio) return;
  k.dirtyBytes = bytes;
  k.dirtyRatio = ratio;
  setRatelimit(k);
}

function changeZones(k: Kernel): void {
  setupZones(k.zones, k.minFreeKbytes, k.profile.processors, k.watermarkScaleFactor);
}

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  'vm/overcommit_memory': {
    get: (k) => k.overcommitMemory,
    takes: (value) => value >= 0 && value <= 2,
    set: ({ k }, value) => (k.overcommitMemory = value),
  },
  'vm/overcommit_ratio': {
    get: (k) => k.overcommitRatio,
    set: ({ k }, value) => {
      k.overcommitRatio = value;
      k.overcommitKbytes = 0;
    },
  },
  'vm/overcommit_kbytes': { get: (k) => k.overcommitKbytes, set: ({ k }, value) => (k.overcommitKbytes = value) },
  'vm/swappiness': {
    get: (k) => k.swappiness,
    takes: (value) => value >= 0 && value <= 200,
    set: ({ k }, value) => (k.swappiness = value),
  },
  'vm/user_reserve_kbytes': { get: (k) => k.userReserveKbytes, set: ({ k }, value) => (k.userReserveKbytes = value) },
  'vm/dirty_ratio': { get: (k) => k.dirtyRatio, takes: percent, set: ({ k }, value) => changeDirty(k, 0, value) },
  'vm/dirty_bytes': {
    get: (k) => k.dirtyBytes,
    takes: (value) => value >= DIRTY_BYTES_MIN,
    set: ({ k }, value) => changeDirty(k, value, 0),
  },
  'vm/dirty_background_ratio': {
    get: (k) => k.dirtyBackgroundRatio,
    takes: percent,
    set: ({ k }, value) => Object.assign(k, { dirtyBackgroundRatio: value, dirtyBackgroundBytes: 0 }),
  },
  'vm/dirty_background_bytes': {
    get: (k) => k.dirtyBackgroundBytes,
    takes: (value) => value >= 1,
    set: ({ k }, value) => Object.assign(k, { dirtyBackgroundRatio: 0, dirtyBackgroundBytes: value }),
  },
  'vm/dirty_expire_centisecs': {
    get: (k) => (k.dirtyExpire * 100) / HZ,
    set: ({ k }, value) => (k.dirtyExpire = ticks(value)),
  },
  'vm/dirty_writeback_centisecs': {
    get: (k) => (k.dirtyWriteback * 100) / HZ,
    takes: (value) => value >= 1,
    set: ({ k }, value) => (k.dirtyWriteback = ticks(value)),
  },
  'vm/min_free_kbytes': {
    get: (k) => k.minFreeKbytes,
    set: ({ k }, value) => {
      k.minFreeKbytes = value;
      changeZones(k);
    },
  },
  'vm/watermark_scale_factor': {
    get: (k) => k.watermarkScaleFactor,
    takes: (value) => value >= 1 && value <= 3000,
    set: ({ k }, value) => {
      k.watermarkScaleFactor = value;
      changeZones(k);
    },
  },
  'vm/oom_kill_allocating_task': {
    get: (k) => Number(k.killsAsker),
    set: ({ k }, value) => (k.killsAsker = value !== 0),
  },
  'vm/max_map_count': {
    get: (k) => k.maxMapCount,
    takes: (value) => value >= 0,
    set: ({ k }, value) => (k.maxMapCount = value),
  },
  'vm/nr_hugepages': { get: (k) => k.hugepagesTotal, set: ({ k }, value) => setMaxHugePages(k, value) },
  'vm/nr_overcommit_hugepages': {
    get: (k) => k.hugepagesOvercommit,
    set: ({ k }, value) => (k.hugepagesOvercommit = value),
  },
  'vm/drop_caches': { takes: isDropCaches, set: (run, value) => dropCaches(run.k, run.files, value) },
  'kernel/threads-max': {
    get: (k) => k.maxThreads,
    takes: (value) => value >= 1 && value <= FUTEX_TID_MASK,
    set: ({ k }, value) => (k.maxThreads = value),
  },
  'kernel/pid_max': { get: (k) => k.pids.max, takes: isPidMax, set: ({ k }, value) => (k.pids.max = value) },
  // No process of a script is bound by these: all are root's.
  'vm/admin_reserve_kbytes': { set: () => {} },
  'fs/file-max': { set: () => {} },
  // What they steer is not modelled.
  'vm/compact_memory': { takes: (value) => value === 1, set: () => {} },
  'vm/compaction_proactiveness': { takes: percent, set: () => {} },
  'vm/extfrag_threshold': { set: () => {} },
  'vm/laptop_mode': { set: () => {} },
  'vm/oom_dump_tasks': { set: () => {} },
  'vm/page-cluster': { set: () => {} },
  'vm/stat_interval': { set: () => {} },
  'vm/vfs_cache_pressure': { set: () => {} },
  'vm/watermark_boost_factor': { set: () => {} },
  'vm/zone_reclaim_mode': { set: () => {} },
};

/** Of a file of /proc/sys; undefined where none of that name is modelled. */
export function parameterText({ k }: MachineRun, path: string): string | undefined {
  const get = lookup(PARAMETERS, path.replace(/^\/proc\/sys\//, ''))?.get;
  return get && `${get(k)}\n`;
}

/** /proc/sys and /sys settings. @returns the error, if any. */
export function setParameter(run: MachineRun, path: string, value: string): string | undefined {
  const { k } = run;
  const number = Number(value);
  if (isGroupFile(path)) return setGroupFile(run, path, value);
  if (path.startsWith(THP)) {
    const key = path.slice(THP.length);
    const fields: Readonly<Record<string, () => void>> = {
      enabled: () => {
        const before = k.thp.enabled;
        k.thp.enabled = value as 'always';
        // start_stop_khugepaged: a thread that is there waits for its time.
        if (before === 'never') khugepagedWake(k);
      },
      defrag: () => (k.thp.defrag = value),
      shmem_enabled: () => (k.thp.shmemEnabled = value),
      use_zero_page: () => (k.thp.useZeroPage = value !== '0'),
      'khugepaged/max_ptes_none': () => (k.thp.maxPtesNone = number),
      'khugepaged/max_ptes_swap': () => (k.thp.maxPtesSwap = number),
      'khugepaged/max_ptes_shared': () => (k.thp.maxPtesShared = number),
      'khugepaged/pages_to_scan': () => (k.thp.pagesToScan = number),
      'khugepaged/scan_sleep_millisecs': () => {
        k.thp.scanSleepMs = number;
        khugepagedWake(k);
      },
      'khugepaged/alloc_sleep_millisecs': () => {
        k.thp.allocSleepMs = number;
        khugepagedWake(k);
      },
      'khugepaged/defrag': () => (k.thp.khugepagedDefrag = value !== '0'),
    };
    const set = lookup(fields, key);
    if (!set) return 'ENOENT';
    set();
    return undefined;
  }
  const parameter = lookup(PARAMETERS, path.replace(/^\/proc\/sys\//, ''));
  if (!parameter) return 'ENOENT';
  if (!/^-?\d+$/.test(value) || (parameter.takes && !parameter.takes(number))) return 'EINVAL';
  parameter.set(run, number);
  return undefined;
}
