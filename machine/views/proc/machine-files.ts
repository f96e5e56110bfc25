import { type Cgroup, CONTROLLERS } from '../../kernel/cgroup.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Psi } from '../../kernel/mem-cgroup.ts';
import { type MemCgroup, NO_LIMIT } from '../../kernel/mem-cgroup.ts';
import { meminfo, vmstatOf, zoneinfo } from '../../kernel/meminfo.ts';
import type { PidsCgroup } from '../../kernel/pids-cgroup.ts';
import { zramOf } from '../../kernel/swap.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { memoryStatFile, psiOf } from '../../script/sample.ts';
import { VMSTAT_LINES } from './vmstat-names.ts';

/** Lines of meminfo in the kernel's order; those that the simulation does not have are 0, as on a machine without the feature. */
const MEMINFO = [
  'MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) Inactive(anon) Active(file)',
  'Inactive(file) Unevictable Mlocked SwapTotal SwapFree Zswap Zswapped Dirty Writeback AnonPages Mapped Shmem',
  'KReclaimable Slab SReclaimable SUnreclaim KernelStack PageTables SecPageTables NFS_Unstable Bounce WritebackTmp',
  'CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted AnonHugePages ShmemHugePages',
  'ShmemPmdMapped FileHugePages FilePmdMapped HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize',
  'Hugetlb DirectMap4k DirectMap2M',
].flatMap((line) => line.split(' '));

/** VMALLOC_TOTAL of x86-64 with four levels of tables, in kB. */
const VMALLOC_TOTAL_KB = 34359738367;
/** Of the kernel's own map of all memory, what has small pages. */
const DIRECT_MAP_4K_KB = 32636;
const LOW_HOLE_KB = 132;

/** All of /proc/meminfo: kB, but for the numbers of huge pages. */
export function allMeminfo(k: Kernel): [string, number][] {
  const figures: Record<string, number> = {
    Hugepagesize: 2048,
    VmallocTotal: VMALLOC_TOTAL_KB,
    DirectMap4k: DIRECT_MAP_4K_KB,
    DirectMap2M: k.profile.memoryMb * 1024 - LOW_HOLE_KB - DIRECT_MAP_4K_KB,
    ...meminfo(k),
  };
  return MEMINFO.map((name) => [name, figures[name] ?? 0]);
}

const isCount = (name: string): boolean => name.startsWith('HugePages_');

export function meminfoText(k: Kernel): string {
  return allMeminfo(k)
    .map(([name, value]) => {
      const width = name === 'HardwareCorrupted' ? 6 : 8;
      return `${`${name}:`.padEnd(16)}${String(value).padStart(width)}${isCount(name) ? '' : ' kB'}\n`;
    })
    .join('');
}

/** All of /proc/vmstat; what is not simulated is 0. Whatever is written to swap is written by reclaim. */
export function vmstatText(k: Kernel): string {
  const figures: Record<string, number> = {
    ...vmstatOf(k),
    nr_zone_write_pending: k.vmstat.nr_dirty + k.vmstat.nr_writeback,
    nr_vmscan_write: k.vmstat.pswpout,
  };
  return VMSTAT_LINES.map((name) => `${name} ${figures[name] ?? 0}\n`).join('');
}

/** /proc/pressure/memory and memory.pressure. */
export function pressureText(psi: Psi): string {
  return Object.entries(psiOf(psi))
    .map(([name, [avg10, avg60, total]]) => {
      const average = (value: number) => value.toFixed(2);
      return `${name} avg10=${average(avg10!)} avg60=${average(avg60!)} avg300=${average(psi.avg300[name === 'some' ? 0 : 1])} total=${total}\n`;
    })
    .join('');
}

/** /proc/zoneinfo without the counters of each zone's lists. */
export function zoneinfoText(k: Kernel): string {
  const counters = vmstatOf(k);
  const node = NODE_STATS.map((name) => `      ${name.padEnd(12)} ${counters[name] ?? 0}\n`).join('');
  return zoneinfo(k)
    .map((zone, i) => {
      const line = (name: string, value: unknown) => `        ${name.padEnd(8)} ${value}\n`;
      return [
        `Node 0, zone ${String(zone['zone']).padStart(8)}\n`,
        i === 0 ? `  per-node stats\n${node}` : '',
        `  pages free     ${zone['free']}\n`,
        line('boost', k.zones[i]!.boost),
        ...['min', 'low', 'high'].map((name) => line(name, zone[name])),
        line('present', zone['present']),
        line('managed', zone['managed']),
        `        protection: (${(zone['protection'] as number[]).join(', ')})\n`,
        `  pagesets\n    cpu: 0\n              count: ${zone['pcp']}\n              batch: ${zone['pcp_batch']}\n`,
      ].join('');
    })
    .join('');
}

const NODE_STATS = [
  'nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable nr_slab_reclaimable',
  'nr_slab_unreclaimable workingset_nodes workingset_refault_anon workingset_refault_file workingset_activate_anon',
  'workingset_activate_file workingset_restore_anon workingset_restore_file workingset_nodereclaim nr_anon_pages',
  'nr_mapped nr_file_pages nr_dirty nr_writeback nr_shmem nr_anon_transparent_hugepages nr_dirtied nr_written',
  'nr_kernel_stack nr_page_table_pages nr_swapcached',
].flatMap((line) => line.split(' '));

/** memory.stat's lines in the kernel's order. */
const MEMORY_STAT = [
  'anon file kernel kernel_stack pagetables sec_pagetables percpu sock vmalloc shmem zswap zswapped file_mapped file_dirty',
  'file_writeback swapcached anon_thp file_thp shmem_thp inactive_anon active_anon inactive_file active_file unevictable',
  'slab_reclaimable slab_unreclaimable slab workingset_refault_anon workingset_refault_file workingset_activate_anon',
  'workingset_activate_file workingset_restore_anon workingset_restore_file workingset_nodereclaim pgscan pgsteal',
  'pgscan_kswapd pgscan_direct pgsteal_kswapd pgsteal_direct pgfault pgmajfault pgrefill pgactivate pgdeactivate',
  'pglazyfree pglazyfreed zswpin zswpout thp_fault_alloc thp_collapse_alloc',
].flatMap((line) => line.split(' '));
const EVENTS = ['low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill'];

const limitText = (pages: number): string => (pages === NO_LIMIT ? 'max' : String(pages * 4096));
const named = (names: readonly string[], values: Readonly<Record<string, number>>): string =>
  names.map((name) => `${name} ${values[name] ?? 0}\n`).join('');

type GroupFile = (run: MachineRun, group: MemCgroup) => string;

/** Files of a group under /sys/fs/cgroup. */
export const GROUP_FILES: Readonly<Record<string, GroupFile>> = {
  'memory.current': (_run, group) => `${group.usage * 4096}\n`,
  'memory.peak': (_run, group) => `${group.peak * 4096}\n`,
  'memory.min': (_run, group) => `${limitText(group.min)}\n`,
  'memory.low': (_run, group) => `${limitText(group.low)}\n`,
  'memory.high': (_run, group) => `${limitText(group.high)}\n`,
  'memory.max': (_run, group) => `${limitText(group.max)}\n`,
  'memory.oom.group': (_run, group) => `${group.oomGroup ? 1 : 0}\n`,
  'memory.stat': (run, group) => named(MEMORY_STAT, memoryStatFile(run, group)),
  'memory.events': (_run, group) => named(EVENTS, group.events),
  'memory.events.local': (_run, group) => named(EVENTS, group.eventsLocal),
  'memory.pressure': (_run, group) => pressureText(group.psi),
  'memory.swap.max': (_run, group) => `${limitText(group.swapMax)}\n`,
  'memory.swap.current': (_run, group) => `${group.swapUsage * 4096}\n`,
  'memory.swap.events': (_run, group) => named(['high', 'max', 'fail'], group.swapEvents),
  'cgroup.procs': (run, group) =>
    run.processes
      .filter(({ alive, task }) => alive && task.group === group)
      .map(({ task }) => `${task.pid}\n`)
      .join(''),
};

const ofPids =
  (text: (pids: PidsCgroup) => string | number) =>
  ({ hasPids, pids }: Cgroup): string | undefined =>
    hasPids ? `${text(pids)}\n` : undefined;

/** Files of a group that are not of its memory. */
export const TREE_FILES: Readonly<Record<string, (group: Cgroup, run: MachineRun) => string | undefined>> = {
  'cgroup.freeze': ({ parent, freeze }) => (parent ? `${Number(freeze)}\n` : undefined),
  'cgroup.events': (group, { processes }) =>
    group.parent
      ? `populated ${Number(processes.some(({ alive, cgroup }) => alive && cgroup.isIn(group)))}\nfrozen ${Number(group.isFrozen)}\n`
      : undefined,
  'cgroup.controllers': ({ controllers }) => `${controllers.join(' ')}\n`,
  'cgroup.subtree_control': ({ subtreeControl }) =>
    subtreeControl.size === 0 ? '' : `${CONTROLLERS.filter((name) => subtreeControl.has(name)).join(' ')}\n`,
  'pids.max': ofPids(({ max }) => (max === Number.POSITIVE_INFINITY ? 'max' : max)),
  'pids.current': ofPids(({ counter }) => counter),
  'pids.peak': ofPids(({ watermark }) => watermark),
  'pids.events': ofPids(({ eventsMax }) => `max ${eventsMax}`),
};

/** /proc/swaps: one area at most. */
function swapsText(k: Kernel): string {
  const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
  if (k.swapTotal === 0) return head;
  const [name, type] = zramOf(k) ? ['/dev/zram0', 'partition'] : ['/mnt/.swap', 'file\t'];
  const kb = (pages: number) => `${pages * 4}\t${pages * 4 < 10_000_000 ? '\t' : ''}`;
  return `${head}${name.padEnd(40)}${type}\t${kb(k.swapTotal)}${kb(k.swapTotal - k.swapFree)}-2\n`;
}

/** Files of the whole machine; undefined where it has none of that name. */
export const MACHINE_FILES: Readonly<Record<string, (run: MachineRun) => string | undefined>> = {
  '/proc/meminfo': ({ k }) => meminfoText(k),
  '/proc/vmstat': ({ k }) => vmstatText(k),
  '/proc/zoneinfo': ({ k }) => zoneinfoText(k),
  '/proc/pressure/memory': ({ k }) => pressureText(k.psi),
  '/proc/swaps': ({ k }) => swapsText(k),
  '/sys/block/zram0/disksize': ({ k }) => zramOf(k) && `${(k.swapTotal + 1) * 4096}\n`,
  '/sys/block/zram0/mm_stat': ({ k }) =>
    zramOf(k)
      ?.mmStat.map((value) => String(value).padStart(8))
      .join(' ')
      .concat('\n'),
};
