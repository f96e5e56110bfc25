import type { Cgroup } from '../kernel/cgroup.ts';
import type { Task } from '../kernel/kernel.ts';
import { type MemCgroup, NO_LIMIT, type Psi, type ShownStat } from '../kernel/mem-cgroup.ts';
import { freeLine, meminfo, vmstatOf, zoneinfo } from '../kernel/meminfo.ts';
import type { Vma } from '../kernel/mm-types.ts';
import { oomScore } from '../kernel/oom-kill.ts';
import { entriesOf } from '../kernel/process.ts';
import {
  SAMPLE_GROUP_US,
  SAMPLE_PAGE_US,
  SAMPLE_PROCESS_US,
  SAMPLE_REGION_US,
  SAMPLE_US,
} from '../kernel/recorded-prices.ts';
import { memCgroupFlushStats, shownNow, shownStat } from '../kernel/rstat.ts';
import { smapsOf, smapsRollup } from '../kernel/smaps.ts';
import { JIFFY_US } from '../kernel/timer.ts';
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from '../kernel/vm-flags.ts';
import { readGroups } from './group-commands.ts';
import type { MachineRun, ScriptProcess } from './machine-run.ts';
import { atOnce } from './pause.ts';
import { passTime, turnUs, updatePressure } from './time.ts';

const SLOT_PAGES = 2 ** 24;
const BASE_PAGE = 0x100000000;

const nonZero = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0));

/** `sample`: the machine, every process and every group; `msample` leaves out the processes. */
export function emitSample(run: MachineRun, label: string, mini: boolean): void {
  const { turns } = run;
  run.reap();
  turns.readerRan(0);
  emitMachine(run, label, !mini);
  // Commands in the background have a turn each where a tick finds that the reader's slice is over.
  let turnInUs = turnUs(run.k) - run.k.nowUs;
  const reads = (us: number) => {
    turns.readerRan(us);
    run.queue.share(run.k.root);
    for (turnInUs -= us; turnInUs <= 0; turnInUs += JIFFY_US) if (run.hasBusy) atOnce(passTime(run, run.k.nowUs));
  };
  reads(SAMPLE_US);
  for (const process of mini ? [] : run.processes) {
    if (!process.alive) continue;
    emitProcess(run, label, process);
    reads(processUs(run, process.task));
  }
  for (const group of run.cgroups.values()) {
    updatePressure(run.k, run.groups.values());
    emitGroup(run, label, group);
    reads(SAMPLE_GROUP_US);
  }
  readGroups(run);
  run.emitKmsg(label);
}

/** What showing a process takes: each of its regions, and each entry of its tables. */
function processUs(run: MachineRun, { mm, fatalSignal }: Task): number {
  if (fatalSignal) return SAMPLE_PROCESS_US;
  const regions = mm.vmas.filter((vma) => isRegion(run, vma)).length;
  return SAMPLE_PROCESS_US + regions * SAMPLE_REGION_US + entriesOf(mm) * SAMPLE_PAGE_US;
}

export function psiOf(psi: Psi): Record<string, number[]> {
  const row = (avg10: number, avg60: number, total: number) => [
    Number(avg10.toFixed(2)),
    Number(avg60.toFixed(2)),
    Math.round(total),
  ];
  return { some: row(psi.avg10[0], psi.avg60[0], psi.someUs), full: row(psi.avg10[1], psi.avg60[1], psi.fullUs) };
}

function emitMachine(run: MachineRun, label: string, full: boolean): void {
  const { k } = run;
  run.emit({
    t: 'machine',
    label,
    meminfo: nonZero(meminfo(k)),
    free: freeLine(k),
    vmstat: nonZero(vmstatOf(k)),
    ...(full ? { zones: zoneinfo(k) } : {}),
    psi_memory: psiOf(k.psi),
  });
}

/** From start_code to end_code of the program: what exec found, whatever has been unmapped since. */
export const TEXT_KB = 664;

/** The figures of /proc/PID/status about memory, in kB. */
export function statusOf(task: Task): Record<string, number> {
  const { mm } = task;
  const kb = (pages: number) => Math.max(0, pages) * 4;
  const [file, anon, swap, shmem] = mm.rss;
  const rss = mm.getRss();
  return {
    VmPeak: kb(Math.max(mm.hiwaterVm, mm.totalVm)),
    VmSize: kb(mm.totalVm),
    VmLck: kb(mm.lockedVm),
    VmHWM: kb(Math.max(mm.hiwaterRss, rss)),
    VmRSS: kb(rss),
    RssAnon: kb(anon),
    RssFile: kb(file),
    RssShmem: kb(shmem),
    VmData: kb(mm.dataVm),
    VmStk: kb(mm.stackVm),
    VmExe: Math.min(TEXT_KB, kb(mm.execVm)),
    VmLib: Math.max(0, kb(mm.execVm) - TEXT_KB),
    VmPTE: mm.tableBytes / 1024,
    HugetlbPages: mm.hugetlbPages * 2048,
    VmSwap: kb(swap),
    Threads: task.threads,
  };
}

export const permOf = (flags: number): string =>
  `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}${flags & VM_EXEC ? 'x' : '-'}${flags & VM_SHARED ? 's' : 'p'}`;

const slotOf = ({ start }: Vma): number => Math.floor((start - BASE_PAGE) / SLOT_PAGES);
const isRegion = (run: MachineRun, vma: Vma): boolean => vma.start >= BASE_PAGE && slotOf(vma) < run.regions.length;

function regionOf(run: MachineRun, vma: Vma): { r: string; off: number } | undefined {
  if (isRegion(run, vma)) {
    const slot = slotOf(vma);
    return { r: run.regions[slot]!, off: (vma.start - BASE_PAGE - slot * SLOT_PAGES) * 4 };
  }
  return isHeap(vma) ? { r: '[heap]', off: 0 } : undefined;
}

const isHeap = (vma: Vma) =>
  vma.start >= 0x4db && vma.start < 0x10000000 && vma.object === null && vma.start * 4096 < vma.mm.brk + 4096;

function emitProcess(run: MachineRun, label: string, { name, task }: ScriptProcess): void {
  const { k } = run;
  const own = { t: 'proc', label, p: name, pid: task.pid, minflt: task.minflt, majflt: task.majflt };
  // Killed, and its memory already taken: what is left has no address space to show.
  if (task.fatalSignal) {
    run.emit({ ...own, oom_score: 0, status: { Threads: task.threads }, rollup: {}, vmas: [] });
    return;
  }
  run.emit({
    t: 'proc',
    label,
    p: name,
    pid: task.pid,
    minflt: task.minflt,
    majflt: task.majflt,
    oom_score: oomScore(k, task),
    status: nonZero(statusOf(task)),
    rollup: nonZero(smapsRollup(k, task)),
    vmas: task.mm.vmas.flatMap((vma) => {
      const region = regionOf(run, vma);
      return region ? [{ ...region, perm: permOf(vma.flags), ...nonZero(smapsOf(k, vma)) }] : [];
    }),
  });
}

const EVENT_STATS = [
  'workingset_refault_anon',
  'workingset_refault_file',
  'workingset_activate_anon',
  'workingset_activate_file',
  'workingset_restore_anon',
  'workingset_restore_file',
  'workingset_nodereclaim',
  'pgscan_kswapd',
  'pgscan_direct',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pgfault',
  'pgmajfault',
  'pgrefill',
  'pgactivate',
  'pgdeactivate',
  'pglazyfree',
  'pglazyfreed',
  'thp_fault_alloc',
  'thp_collapse_alloc',
];

/** What memory.stat of a group counts, as it is now: bytes, and events, over its subtree. */
export const memoryStat = (run: MachineRun, group: MemCgroup): Record<string, number> =>
  sumOfGroups([...group.subtree()].map((at) => shownNow(run.k, at)));

/** memory.stat of a group as a reader finds it: what has changed since it was last brought up to date may be missing. */
export const memoryStatFile = (run: MachineRun, group: MemCgroup): Record<string, number> =>
  sumOfGroups([...group.subtree()].map((at) => shownStat(run.k, at)));

function sumOfGroups(groups: readonly ShownStat[]): Record<string, number> {
  const sum = (name: string) => groups.reduce((total, { stat }) => total + (stat[name] ?? 0), 0);
  const list = (lru: number) => groups.reduce((total, { lists }) => total + lists[lru]!, 0) * 4096;
  const slabReclaimable = sum('slab_reclaimable_bytes');
  const slabUnreclaimable = sum('slab_unreclaimable_bytes');
  const tables = sum('pagetables') * 4096;
  const stacks = sum('kernel_stack') * 4096;
  const kernelPages = groups.reduce((total, { kmemPages }) => total + kmemPages, 0);
  const events = Object.fromEntries(EVENT_STATS.map((name) => [name, sum(name)]));
  return {
    anon: sum('anon') * 4096,
    file: sum('file') * 4096,
    kernel: kernelPages * 4096,
    kernel_stack: stacks,
    pagetables: tables,
    percpu: sum('percpu_bytes'),
    sock: sum('sock') * 4096,
    shmem: sum('shmem') * 4096,
    file_mapped: sum('file_mapped') * 4096,
    file_dirty: sum('file_dirty') * 4096,
    file_writeback: sum('file_writeback') * 4096,
    swapcached: sum('swapcached') * 4096,
    anon_thp: sum('anon_thp') * 4096,
    inactive_anon: list(0),
    active_anon: list(1),
    inactive_file: list(2),
    active_file: list(3),
    unevictable: list(4),
    slab_reclaimable: slabReclaimable,
    slab_unreclaimable: slabUnreclaimable,
    slab: slabReclaimable + slabUnreclaimable,
    pgscan: events['pgscan_kswapd']! + events['pgscan_direct']!,
    pgsteal: events['pgsteal_kswapd']! + events['pgsteal_direct']!,
    ...events,
  };
}

function emitGroup(run: MachineRun, label: string, { name, memcg: group, hasController }: Cgroup): void {
  if (!hasController) {
    run.emit({ t: 'cgroup', label, cg: name, stat: {}, events: {}, events_local: {}, pressure: psiOf(group.psi) });
    return;
  }
  memCgroupFlushStats(run.k);
  const limit = (key: string, pages: number) => (pages === NO_LIMIT ? {} : { [key]: pages * 4096 });
  run.emit({
    t: 'cgroup',
    label,
    cg: name,
    current: group.usage * 4096,
    peak: group.peak * 4096,
    min: group.min * 4096,
    low: group.low * 4096,
    ...limit('high', group.high),
    ...limit('max', group.max),
    stat: nonZero(memoryStatFile(run, group)),
    events: nonZero(group.events),
    events_local: nonZero(group.eventsLocal),
    pressure: psiOf(group.psi),
  });
}
