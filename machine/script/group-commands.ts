/** Groups of cgroup v2: made, removed, and what is written to their files. */
import { lookup } from '../../sim/contract/lookup.ts';
import { Cgroup, CONTROLLERS, type Controller } from '../kernel/cgroup.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { lruGenOfflineMemcg } from '../kernel/lru-gen-memcg.ts';
import { lruGenAddMm, lruGenDelMm } from '../kernel/lru-gen-mm-list.ts';
import { MemCgroup, memcgEvent, NO_LIMIT } from '../kernel/mem-cgroup.ts';
import { chargeObject, drainAllStock, unchargeObject } from '../kernel/memcontrol.ts';
import { populatePercpu } from '../kernel/percpu.ts';
import { PidsCgroup, pidsMaxOf } from '../kernel/pids-cgroup.ts';
import { slabAccount } from '../kernel/slab.ts';
import { lruAddDrain } from '../kernel/swap-lru.ts';
import { tryToFreeMemCgroupPages } from '../kernel/vmscan.ts';
import type { MachineRun } from './machine-run.ts';
import { sizeOf } from './parse.ts';

/**
 * A group and its files in the tree; and inodes and names of these once somebody reads them. Twenty groups took 372 kB, and 196 and 88 more
 * with the first sample. What goes with a group stays in its caches, for the next one.
 */
const GROUP_SLAB_BYTES = 19_046;
const FILES_OF_GROUP_BYTES = 10_035;
const OPENED_OF_GROUP_BYTES = 4506;

/** pcpu_obj_full_size: a pointer of 8 bytes for each PCPU_MIN_ALLOC_SIZE. */
const PERCPU_OWNERS = 8 / 4;

const MAX_RECLAIM_RETRIES = 16;

/** `cgroup C max=10M …`. @returns the error, if any. */
export function makeGroup(run: MachineRun, words: readonly string[]): string | undefined {
  const [name, ...settings] = words as [string, ...string[]];
  let group = run.cgroups.get(name);
  if (!group) {
    const at = name.lastIndexOf('/');
    const parent = at < 0 ? run.rootGroup : run.cgroups.get(name.slice(0, at));
    if (!parent) return 'ENOENT';
    group = new Cgroup(name, parent, parent.memcg, parent.pids);
    for (const controller of group.controllers) give(run, group, controller);
    if (settings.includes('parent') && group.hasController) group.subtreeControl.add('memory');
    run.cgroups.set(name, group);
  }
  for (const setting of settings) {
    const [key, value] = setting.split('=');
    if (value === undefined || key === undefined) continue;
    const file = key === 'group' ? 'memory.oom.group' : `memory.${key}`;
    const bytes = sizeOf(value);
    const error = writeFile(run, group, file, bytes === undefined ? value : String(Math.floor(bytes)));
    if (error) return error;
  }
  return undefined;
}

/** The group counts for itself what its parent counted for it: memory that it has by now stays where it is charged, its tasks move. */
function give(run: MachineRun, group: Cgroup, controller: Controller): void {
  if (controller === 'memory') {
    const { k } = run;
    const memcg = new MemCgroup(k.groups.length, group.name, group.parent!.memcg, k.nowUs);
    k.groups.push(memcg);
    k.lruGen?.onlineMemcg(memcg, k.zones.length, k.nowUs);
    run.groups.set(group.name, memcg);
    if (run.groups.size > run.groupsMade) {
      slabAccount(k, 0, GROUP_SLAB_BYTES, false);
      run.groupsMade++;
      populatePercpu(k, run.groupsMade);
    }
    chargeCountersOfGroup(k, memcg, 1);
    moveAll(run, group, { memcg });
  } else {
    const pids = new PidsCgroup(group.name, group.parent!.pids);
    moveAll(run, group, { pids });
  }
}

/** A sample has read the files of every group. */
export function readGroups(run: MachineRun): void {
  for (; run.groupsRead < run.groups.size; run.groupsRead++) {
    slabAccount(run.k, 0, FILES_OF_GROUP_BYTES, true);
    slabAccount(run.k, 0, OPENED_OF_GROUP_BYTES, false);
  }
}

/** The controller goes: the parent counts again. */
function take(run: MachineRun, group: Cgroup, controller: Controller): void {
  if (controller === 'memory') {
    endMemory(run, group);
    moveAll(run, group, { memcg: group.parent!.memcg });
  } else moveAll(run, group, { pids: group.parent!.pids });
}

/** cgroup_update_dfl_csses: groups without the controller of their own, and the processes in them, follow. */
function moveAll(run: MachineRun, top: Cgroup, next: Partial<Pick<Cgroup, 'memcg' | 'pids'>>): void {
  const { memcg, pids } = top;
  const follow = (group: Cgroup): void => {
    if (next.memcg && group.memcg === memcg) group.memcg = next.memcg;
    if (next.pids && group.pids === pids) group.pids = next.pids;
    for (const process of run.processes) if (process.alive && process.cgroup === group) moveTask(run.k, process, group);
    for (const child of group.children) follow(child);
  };
  follow(top);
}

type Moving = MachineRun['processes'][number];

/** cgroup_migrate: what the process uses from now on is the group's. */
function moveTask(k: Kernel, process: Moving, group: Cgroup): void {
  const { task } = process;
  process.cgroup = group;
  task.group = group.memcg;
  // lru_gen_migrate_mm.
  lruGenDelMm(k, task.mm);
  task.mm.group = group.memcg;
  lruGenAddMm(k, task.mm);
  if (task.pids === group.pids) return;
  group.pids.charge(task.threads);
  task.pids.uncharge(task.threads);
  task.pids = group.pids;
}

/** `p into C`. @returns the error, if any. */
export function moveInto(run: MachineRun, process: Moving, name: string): string | undefined {
  const group = name === '/' ? run.rootGroup : run.cgroups.get(name);
  if (!group) return 'ENOENT';
  if (!group.takesProcesses()) return 'EBUSY';
  moveTask(run.k, process, group);
  return undefined;
}

const hasProcesses = (run: MachineRun, group: Cgroup): boolean =>
  run.processes.some(({ alive, cgroup }) => alive && cgroup === group);

export function removeGroup(run: MachineRun, name: string): string | undefined {
  const group = run.cgroups.get(name);
  if (!group) return 'ENOENT';
  if (group.hasChildren || hasProcesses(run, group)) return 'EBUSY';
  group.remove();
  run.cgroups.delete(name);
  if (group.hasController) endMemory(run, group);
  return undefined;
}

/** mem_cgroup_css_offline. */
function endMemory(run: MachineRun, { name, memcg }: Cgroup): void {
  run.groups.delete(name);
  memcg.online = false;
  // Nothing protects what is left of it.
  memcg.min = 0;
  memcg.low = 0;
  lruGenOfflineMemcg(run.k, memcg.id);
  chargeCountersOfGroup(run.k, memcg, -1);
}

/** mem_cgroup_alloc, with the parent as the active group: the parent pays for the counters of a child (`sign` 1), and gets it back (-1). */
function chargeCountersOfGroup(k: Kernel, { parent }: MemCgroup, sign: 1 | -1): void {
  if (!parent || parent.isRoot) return;
  const { processors, features } = k.profile;
  const bytes = features.groupPercpuBytes * (processors + PERCPU_OWNERS);
  parent.stat.percpu_bytes += sign * bytes;
  if (sign > 0) chargeObject(k, parent.id, bytes);
  else unchargeObject(k, parent.id, bytes);
}

/** memory_high_write: reclaims down to the new mark, as often as there is something to reclaim. */
function reclaimTo({ k }: MachineRun, group: MemCgroup, pages: number): void {
  if (group.usage > pages) drainAllStock(k, group);
  for (let retries = MAX_RECLAIM_RETRIES; group.usage > pages; ) {
    if (tryToFreeMemCgroupPages(k, group, group.usage - pages) === 0 && retries-- === 0) return;
  }
}

/** memory_max_write: reclaims down to the new limit, and kills where that is not enough. */
function shrinkTo({ k, queue }: MachineRun, group: MemCgroup): void {
  if (group.usage > group.max) drainAllStock(k, group);
  for (let reclaims = MAX_RECLAIM_RETRIES; group.usage > group.max; ) {
    if (reclaims > 0) {
      if (tryToFreeMemCgroupPages(k, group, group.usage - group.max) === 0) reclaims--;
      continue;
    }
    memcgEvent(group, 'oom');
    if (!k.hooks.memcgOutOfMemory(group)) return;
    queue.wait();
  }
}

/** memory_reclaim. */
function reclaimBy(run: MachineRun, group: MemCgroup, pages: number): string | undefined {
  let retries = MAX_RECLAIM_RETRIES;
  for (let reclaimed = 0; reclaimed < pages; ) {
    // The final attempt: what waits in the batches may be taken as well.
    if (retries === 0) lruAddDrain(run.k);
    const got = tryToFreeMemCgroupPages(run.k, group, pages - reclaimed);
    if (got === 0 && retries-- === 0) return 'EAGAIN';
    reclaimed += got;
  }
  return undefined;
}

/** page_counter_memparse: pages, or undefined where it is neither a size nor `max`. */
function pagesOfText(text: string): number | undefined {
  if (text === 'max') return NO_LIMIT;
  const bytes = sizeOf(text);
  return bytes === undefined || bytes < 0 ? undefined : Math.floor(bytes / 4096);
}

type Write = (run: MachineRun, group: Cgroup, value: string) => string | undefined;

const limit =
  (set: (run: MachineRun, group: MemCgroup, pages: number) => string | undefined): Write =>
  (run, { memcg }, value) => {
    const pages = pagesOfText(value);
    return pages === undefined ? 'EINVAL' : set(run, memcg, pages);
  };

/** Files of the memory controller that take something. */
const MEMORY_WRITES: Readonly<Record<string, Write>> = {
  'memory.min': limit((_run, memcg, pages) => void (memcg.min = pages)),
  'memory.low': limit((_run, memcg, pages) => void (memcg.low = pages)),
  'memory.high': limit((run, memcg, pages) => {
    memcg.high = pages;
    reclaimTo(run, memcg, pages);
    return undefined;
  }),
  'memory.max': limit((run, memcg, pages) => {
    memcg.max = pages;
    shrinkTo(run, memcg);
    return undefined;
  }),
  'memory.swap.max': limit((_run, memcg, pages) => void (memcg.swapMax = pages)),
  'memory.reclaim': limit((run, memcg, pages) => reclaimBy(run, memcg, pages)),
  'memory.oom.group': (_run, { memcg }, value) => {
    if (value !== '0' && value !== '1') return 'EINVAL';
    memcg.oomGroup = value === '1';
    return undefined;
  },
};
const MEMORY_READ_ONLY = ['current', 'peak', 'events', 'events.local', 'stat', 'swap.current', 'swap.events'];
const PIDS_READ_ONLY = ['current', 'peak', 'events'];

/** cgroup.subtree_control, one controller with + or -; others than the modelled ones are taken without effect. */
function writeSubtreeControl(run: MachineRun, group: Cgroup, value: string): string | undefined {
  const [, sign, name] = /^([+-])(\w+)$/.exec(value) ?? [];
  if (!sign) return 'EINVAL';
  const controller = CONTROLLERS.find((one) => one === name);
  if (!controller) return OTHER_CONTROLLERS.includes(name!) ? undefined : 'EINVAL';
  if (sign === '-') {
    if (!group.subtreeControl.has(controller)) return undefined;
    if ([...group.children].some(({ subtreeControl }) => subtreeControl.has(controller))) return 'EBUSY';
    group.subtreeControl.delete(controller);
    for (const child of group.children) take(run, child, controller);
    return undefined;
  }
  if (!group.controllers.includes(controller)) return 'ENOENT';
  if (group.subtreeControl.has(controller)) return undefined;
  // cgroup_vet_subtree_control_enable: no processes beside groups that compete with them; of tasks alone they may.
  const mayMix = controller === 'pids' && !group.subtreeControl.has('memory');
  if (group.parent && hasProcesses(run, group) && !mayMix) return 'EBUSY';
  group.subtreeControl.add(controller);
  for (const child of group.children) give(run, child, controller);
  return undefined;
}

/** kstrtoint: a number, and whether the file takes it. @returns the error, if any. */
const oneOf = (value: string, allowed: readonly number[]): string | undefined =>
  !/^[+-]?\d+$/.test(value) ? 'EINVAL' : allowed.includes(Number(value)) ? undefined : 'ERANGE';

/** Files of every group but the root. */
const TREE_WRITES: Readonly<Record<string, Write>> = {
  'cgroup.freeze': (_run, group, value) => {
    const error = oneOf(value, [0, 1]);
    if (!error) group.freeze = Number(value) === 1;
    return error;
  },
  'cgroup.kill': (run, group, value) => {
    const error = oneOf(value, [1]);
    if (!error) run.condemned.push(...run.processes.filter(({ alive, cgroup }) => alive && cgroup.isIn(group)));
    return error;
  },
};

const OTHER_CONTROLLERS = ['cpuset', 'cpu', 'io', 'hugetlb', 'rdma', 'misc'];

function writeFile(run: MachineRun, group: Cgroup, file: string, value: string): string | undefined {
  if (file === 'cgroup.subtree_control') return writeSubtreeControl(run, group, value);
  if (file === 'pids.max' && group.hasPids) {
    const max = pidsMaxOf(value);
    if (max === undefined) return 'EINVAL';
    group.pids.max = max;
    return undefined;
  }
  const isReadOnly = (prefix: string, names: readonly string[]) => names.some((name) => file === `${prefix}.${name}`);
  if (group.hasPids && isReadOnly('pids', PIDS_READ_ONLY)) return 'EINVAL';
  if (!group.parent) return 'ENOENT';
  const ofTree = lookup(TREE_WRITES, file);
  if (ofTree) return ofTree(run, group, value);
  if (file === 'cgroup.events') return 'EINVAL';
  if (!group.hasController) return 'ENOENT';
  if (isReadOnly('memory', MEMORY_READ_ONLY)) return 'EINVAL';
  const write = lookup(MEMORY_WRITES, file);
  return write ? write(run, group, value) : 'ENOENT';
}

const ROOT = '/sys/fs/cgroup/';
export const isGroupFile = (path: string): boolean => path.startsWith(ROOT);

/** `set /sys/fs/cgroup/C/FILE value`. @returns the error, if any. */
export function setGroupFile(run: MachineRun, path: string, value: string): string | undefined {
  const rest = path.slice(ROOT.length);
  const at = rest.lastIndexOf('/');
  const group = at < 0 ? run.rootGroup : run.cgroups.get(rest.slice(0, at));
  return group ? writeFile(run, group, rest.slice(at + 1), value) : 'ENOENT';
}
