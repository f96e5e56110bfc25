import { lookup } from '../../sim/contract/lookup.ts';
import { Cgroup } from '../kernel/cgroup.ts';
import { setRatelimit } from '../kernel/dirty-limits.ts';
import { setMaxHugePages } from '../kernel/hugetlb.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { khugepagedWake } from '../kernel/khugepaged-slots.ts';
import { lruGenOfflineMemcg } from '../kernel/lru-gen-memcg.ts';
import { MemCgroup, NO_LIMIT } from '../kernel/mem-cgroup.ts';
import { chargeObject, unchargeObject } from '../kernel/memcontrol.ts';
import { isAtThreadLimit } from '../kernel/process.ts';
import { slabAccount } from '../kernel/slab.ts';
import { swapOn } from '../kernel/swap.ts';
import { lruAddDrain } from '../kernel/swap-lru.ts';
import { swapOff } from '../kernel/swapoff.ts';
import { tryToFreeMemCgroupPages } from '../kernel/vmscan.ts';
import { syncAll } from '../kernel/writeback.ts';
import { setupZones } from '../kernel/zone.ts';
import { Zram } from '../kernel/zram.ts';
import { fileTextOf, toolTexts } from '../views/view.ts';
import { dropCaches, newMount } from './files.ts';
import type { MachineRun } from './machine-run.ts';
import { type Command, sizeOf } from './parse.ts';
import type { Breathing } from './pause.ts';
import { passUntilAnswered } from './process-commands.ts';
import { emitSample } from './sample.ts';
import { passTime } from './time.ts';
import { startWorker } from './worker-image.ts';

/** Inodes and names of /proc that the tools leave behind, of the kernel's own group. */
const TOOLS_SLAB_BYTES = 390 * 1024;

/** A group with its files in the tree of groups. */
const GROUP_SLAB_BYTES = 50 * 1024;

/** pcpu_obj_full_size: a pointer of 8 bytes for each PCPU_MIN_ALLOC_SIZE. */
const PERCPU_OWNERS = 8 / 4;

type Handler = (run: MachineRun, words: readonly string[], command: Command) => void;

const ratioOf = (words: readonly string[]): number =>
  Number(words.find((word) => word.startsWith('ratio='))!.slice('ratio='.length));

const ok = (run: MachineRun, command: Command, error?: string, us = 10) =>
  run.emitStep(command.text, undefined, error ? { ret: -1, err: error, us } : { ret: 0, us });

/** Commands of the machine itself. */
export function* runMachineCommand(run: MachineRun, command: Command): Breathing {
  const [name, ...words] = command.words as [string, ...string[]];
  const waits = WAITS[name];
  if (waits) yield* waits(run, words, command);
  else HANDLERS[name]!(run, words, command);
}

/** Commands in which time passes. */
const WAITS: Readonly<Record<string, (...call: Parameters<Handler>) => Breathing>> = {
  *wait(run, [name, ms], command) {
    const process = run.process(name!);
    if (!process) return;
    const { busy } = process;
    if (!busy) {
      run.emitStep(command.text, process.alive ? 'idle' : 'dead', undefined);
      return;
    }
    yield* passUntilAnswered(run, process, run.k.nowUs + Number(ms ?? 120000) * 1000);
    if (!process.alive) {
      run.emitStep(command.text, 'died', undefined);
      return;
    }
    if (!busy.answer) {
      run.emitStep(command.text, 'still-running', undefined);
      return;
    }
    run.setBusy(process, undefined);
    run.emitStep(busy.text, 'done', busy.answer);
  },
  *sleep(run, [ms], command) {
    const start = run.k.nowUs;
    yield* passTime(run, start + Number(ms) * 1000);
    run.emitStep(command.text, undefined, { ret: 0, us: run.k.nowUs - start });
  },
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  new(run, words, command) {
    for (const name of words) {
      if (isAtThreadLimit(run.k)) {
        run.refusedForks.add(name);
        return ok(run, command, 'EAGAIN');
      }
      const task = startWorker(run.k, run.image, name);
      run.k.current = null;
      run.turns.started(task);
      run.enter(name, task, run.rootGroup, undefined);
    }
    ok(run, command);
  },
  kill(run, [name], command) {
    const process = run.process(name!);
    if (process?.alive) run.die(process.task, 'signal', 9);
    ok(run, command);
  },
  cgroup: makeGroup,
  rmcgroup(run, [name], command) {
    const group = run.cgroups.get(name!);
    if (!group) {
      ok(run, command, 'ENOENT');
      return;
    }
    if (group.hasChildren || run.processes.some(({ alive, cgroup }) => alive && cgroup === group))
      return ok(run, command, 'EBUSY');
    group.remove();
    run.cgroups.delete(name!);
    if (group.hasController) {
      run.groups.delete(name!);
      group.memcg.online = false;
      lruGenOfflineMemcg(run.k, group.memcg.id);
      slabAccount(run.k, 0, -GROUP_SLAB_BYTES, false);
      chargeCountersOfGroup(run.k, group.memcg, -1);
    }
    ok(run, command);
  },
  set(run, [path, value], command) {
    ok(run, command, setParameter(run, path!, value!));
  },
  cat(run, [path]) {
    // What there is not cannot be read, which is an empty text.
    run.emit({ t: 'cat', step: run.step, path, text: fileTextOf(run, path!) ?? '' });
  },
  mount(run, [type, path, opts], command) {
    // Its files are where they are.
    if (type === 'debugfs') return ok(run, command);
    const size = /size=([^,]+)/.exec(opts ?? '')?.[1];
    const bytes = size?.endsWith('%')
      ? (run.k.totalPages * 4096 * Number(size.slice(0, -1))) / 100
      : sizeOf((size ?? '').toUpperCase());
    const own = type === 'tmpfs' ? 'tmpfs' : 'disk';
    const device = own === 'tmpfs' ? `00:${(0x14 + run.files.mounts.length).toString(16)}` : '103:00';
    run.files.mounts.push(newMount(run.k, run.options, { path: path!, type: own, device }, bytes));
    ok(run, command);
  },
  swap(run, [size, ...how], command) {
    if (size === 'off') {
      const startUs = run.k.nowUs;
      const error = run.k.swapTotal === 0 ? 'EINVAL' : swapOff(run.k) ? undefined : 'ENOMEM';
      ok(run, command, error, run.k.nowUs - startUs);
      return;
    }
    const bytes = sizeOf(size!);
    if (bytes === undefined || bytes < 0) {
      ok(run, command, 'EINVAL');
      return;
    }
    if (run.k.swapTotal > 0) {
      ok(run, command, 'EBUSY');
      return;
    }
    const pages = Math.floor(bytes / 4096);
    const zram = how.includes('zram') ? Zram.create(run.k, pages, ratioOf(how)) : undefined;
    const isOn = (zram || !how.includes('zram')) && swapOn(run.k, pages, zram);
    ok(run, command, isOn ? undefined : 'ENOMEM');
  },
  sync(run, _words, command) {
    run.files.commit();
    syncAll(run.k);
    ok(run, command);
  },
  drop_caches(run, [what], command) {
    if (!isDropCaches(Number(what))) return ok(run, command, 'EINVAL');
    run.k.kmsg.push(`init (1): drop_caches: ${what}`);
    dropCaches(run.k, run.files, Number(what));
    ok(run, command);
  },
  note(run, _words, command) {
    run.emitStep(command.text, 'note', undefined);
  },
  sample(run, [label]) {
    emitSample(run, label!, false);
  },
  msample(run, [label]) {
    emitSample(run, label!, true);
  },
  tools(run, [label]) {
    for (const { command, text } of toolTexts(run)) run.emit({ t: 'tool', label, cmd: command, out: text });
    // The tools are processes that end, and whose end empties the batches.
    lruAddDrain(run.k);
    if (!run.toolsRan) slabAccount(run.k, 0, TOOLS_SLAB_BYTES, true);
    run.toolsRan = true;
  },
  refresh(run, [on]) {
    run.refresh = on !== '0';
  },
};

function makeGroup(run: MachineRun, words: readonly string[], command: Command): void {
  const { k } = run;
  const [name, ...settings] = words as [string, ...string[]];
  let group = run.cgroups.get(name);
  if (!group) {
    const at = name.lastIndexOf('/');
    const parent = at < 0 ? run.rootGroup : run.cgroups.get(name.slice(0, at));
    if (!parent) {
      ok(run, command, 'ENOENT');
      return;
    }
    group = new Cgroup(name, parent, memoryOf(run, name, parent), parent.isParent && settings.includes('parent'));
    run.cgroups.set(name, group);
  }
  const { memcg, hasController } = group;
  for (const setting of settings) {
    const [key, value] = setting.split('=');
    if (value === undefined || key === undefined) continue;
    const pages = value === 'max' ? NO_LIMIT : Math.floor((sizeOf(value) ?? 0) / 4096);
    if (key === 'group' && hasController) memcg.oomGroup = value === '1';
    else if (hasController && (key === 'max' || key === 'high' || key === 'low' || key === 'min')) {
      memcg[key] = pages;
      if (key === 'high' && memcg.usage > pages) tryToFreeMemCgroupPages(k, memcg, memcg.usage - pages);
      if (key === 'max') shrinkTo(run, memcg);
    } else {
      ok(run, command, 'ENOENT');
      return;
    }
  }
  ok(run, command);
}

/** mem_cgroup_css_alloc where the parent gives its children the controller; else what they use is counted with the parent's. */
function memoryOf({ k, groups }: MachineRun, name: string, parent: Cgroup): MemCgroup {
  if (!parent.isParent) return parent.memcg;
  const memcg = new MemCgroup(k.groups.length, name, parent.memcg, k.nowUs);
  k.groups.push(memcg);
  k.lruGen?.onlineMemcg(memcg, k.zones.length, k.nowUs);
  groups.set(name, memcg);
  slabAccount(k, 0, GROUP_SLAB_BYTES, false);
  chargeCountersOfGroup(k, memcg, 1);
  return memcg;
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

/** memory_max_write: reclaims down to the new limit, and kills where that is not enough. */
function shrinkTo(run: MachineRun, group: MemCgroup): void {
  let retries = 5;
  while (group.usage > group.max) {
    if (retries-- > 0 && tryToFreeMemCgroupPages(run.k, group, group.usage - group.max) > 0) continue;
    if (retries > 0) continue;
    if (!run.k.hooks.memcgOutOfMemory(group)) return;
  }
}

const THP = '/sys/kernel/mm/transparent_hugepage/';

/** What sysctl_max_threads takes. */
const FUTEX_TID_MASK = 0x3fffffff;

/** 4 keeps the log silent; no more is known. */
const isDropCaches = (what: number): boolean => what >= 1 && what <= 4;

/** /proc/sys and /sys settings. @returns the error, if any. */
function setParameter(run: MachineRun, path: string, value: string): string | undefined {
  const { k } = run;
  const number = Number(value);
  if (path.startsWith(THP)) {
    const key = path.slice(THP.length);
    const fields: Readonly<Record<string, () => void>> = {
      enabled: () => {
        k.thp.enabled = value as 'always';
        khugepagedWake(k);
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
  const fields: Readonly<Record<string, () => void>> = {
    'vm/overcommit_memory': () => (k.overcommitMemory = number),
    'vm/overcommit_ratio': () => {
      k.overcommitRatio = number;
      k.overcommitKbytes = 0;
    },
    'vm/overcommit_kbytes': () => (k.overcommitKbytes = number),
    'vm/swappiness': () => (k.swappiness = number),
    'vm/user_reserve_kbytes': () => (k.userReserveKbytes = number),
    'vm/dirty_ratio': () => {
      if (number === k.dirtyRatio) return;
      k.dirtyRatio = number;
      setRatelimit(k);
    },
    'vm/dirty_background_ratio': () => (k.dirtyBackgroundRatio = number),
    'vm/min_free_kbytes': () => {
      k.minFreeKbytes = number;
      setupZones(k.zones, number, k.profile.processors);
    },
    'vm/nr_hugepages': () => setMaxHugePages(k, number),
    'vm/nr_overcommit_hugepages': () => (k.hugepagesOvercommit = number),
    'kernel/threads-max': () => (k.maxThreads = number),
    'vm/drop_caches': () => dropCaches(k, run.files, number),
  };
  const name = path.replace(/^\/proc\/sys\//, '');
  const set = lookup(fields, name);
  if (!set) return 'ENOENT';
  if (name === 'vm/drop_caches' && !isDropCaches(number)) return 'EINVAL';
  if (name === 'kernel/threads-max' && !(number >= 1 && number <= FUTEX_TID_MASK)) return 'EINVAL';
  set();
  return undefined;
}
