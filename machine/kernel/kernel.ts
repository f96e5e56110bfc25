import { Frames } from './frames.ts';
import { LruGenNode } from './lru-gen-state.ts';
import { MemCgroup, newPsi, newRstat, type Psi, type Rstat } from './mem-cgroup.ts';
import { AddressSpace, type AnonVma, type Mm } from './mm-types.ts';
import { PidNamespace } from './pid.ts';
import { PidsCgroup } from './pids-cgroup.ts';
import type { Profile } from './profile.ts';
import { SwapList } from './swap-lists.ts';
import { HZ } from './timer.ts';
import { newVmStat, type VmStat } from './vmstat.ts';
import type { Zone } from './zone.ts';

/** What call_rcu frees at a time. */
export interface RcuCallback {
  readonly dueUs: number;
  readonly free: () => void;
}

/** Slab, of which that of open files is freed by RCU, or whole pages. */
export type SlabKind = 'reclaimable' | 'unreclaimable' | 'files' | 'pages';

/** Memory of the kernel that a process holds, and the group that pays for it. */
export interface TaskObjects {
  readonly group: number;
  readonly bytes: number;
  /** Of so many bytes of Slab the group pays for these, each object with the pointer to who does. */
  readonly charged: number;
  readonly kind: SlabKind;
}

/** The stack of a thread: its pages without the guard's, and the highest of them. */
export interface ThreadStack {
  readonly pages: number;
  readonly topPage: number;
}

/** task_struct: a process; its threads are a number. */
export interface Task {
  /** 0 until it has one. */
  pid: number;
  /** Of its threads beside the first. */
  readonly tids: number[];
  readonly name: string;
  readonly mm: Mm;
  readonly parent: Task | null;
  group: MemCgroup;
  /** Who counts its tasks. */
  pids: PidsCgroup;
  alive: boolean;
  minflt: number;
  majflt: number;
  oomScoreAdj: number;
  /** task_rss_stat: counts that the process keeps before they are added to its address space (up to 6.1). */
  readonly rssCache: [number, number, number, number];
  rssEvents: number;
  readonly rlimits: Rlimits;
  threads: number;
  /** Stacks that glibc has made for threads, in this process or in those that it was forked from, and the one whose thread is the latest. */
  stacksMade: number;
  newestStack: ThreadStack | undefined;
  /** Stacks that glibc keeps of threads which could not be started. */
  readonly stackCache: ThreadStack[];
  fds: number;
  fdTable: number;
  pipes: number;
  sockets: number;
  udp: number;
  queuedBytes: number;
  /** Killed, and not yet gone. */
  fatalSignal: boolean;
  /** Charged above memory.high since the last return to the program, in pages, and what it must still sleep for that. */
  memcgOverHigh: number;
  memcgSleepUs: number;
  /** Pages of files that it made dirty since it looked at the limits last, and after how many it looks again. */
  nrDirtied: number;
  nrDirtiedPause: number;
  /** When its last pause for them ended, or should have, in ticks; 0: never. */
  dirtyPausedWhen: number;
  /** It has made dirty more than its share, and must wait. */
  dirtyPause: DirtyPause | undefined;
  /** tsk_is_oom_victim. */
  oomVictim: boolean;
  /** MMF_OOM_SKIP: it has nothing left for which the killer would wait. */
  oomSkip: boolean;
  /** sem_undo_list, which its first thread makes. */
  hasUndoList: boolean;
  /** It has had threads, or its parent had when it forked: its C library does not forget. */
  wasThreaded: boolean;
  /** Kernel objects that end with the task. */
  readonly objects: TaskObjects[];
  /** Who pays for what a process has beside its threads, while it has it. */
  processGroup?: number;
  readonly stacks: { readonly group: number; readonly threads: number }[];
}

/** How who has made too much dirty is held up. */
export interface DirtyPause {
  readonly untilUs: number;
  /** What is dirty is looked at once more before it goes on. */
  readonly looksAgain: boolean;
}

/** Soft limits, in bytes and numbers of files. */
export interface Rlimits {
  as: number;
  data: number;
  stack: number;
  /** Every process is root's, whom it does not bind: one that sets it gives CAP_IPC_LOCK up. */
  memlock: number;
  /** Binds no process of root (INIT_USER). */
  nproc: number;
  nofile: number;
}

/** THP settings, as under /sys/kernel/mm/transparent_hugepage. */
export interface HugePageSettings {
  enabled: 'always' | 'madvise' | 'never';
  defrag: string;
  shmemEnabled: string;
  useZeroPage: boolean;
  maxPtesNone: number;
  maxPtesSwap: number;
  maxPtesShared: number;
  pagesToScan: number;
  scanSleepMs: number;
  allocSleepMs: number;
  khugepagedDefrag: boolean;
}

/** What a file below calls of one above it. */
export interface Hooks {
  memcgReclaim(group: MemCgroup, pages: number): number;
  memcgOutOfMemory(group: MemCgroup): boolean;
  memcgHandleOverHigh(task: Task): void;
  outOfMemory(order: number): boolean;
  /** Somebody of that group has had the processor until it was the turn of those that wait for it (`queueTurnUs`). */
  queueTurn(others: MemCgroup): void;
  /** Whoever is in the middle of reclaim lets others have the processor, where it is their turn. */
  condResched(): void;
  /** kswapd has the processor until that is so, or it has nothing left to do. */
  waitForKswapd(until: () => boolean): void;
  directReclaim(order: number): number;
  wakeKswapd(order: number): void;
  freePage(frame: number): void;
  /** Somebody has been chosen, and nothing is freed yet. */
  oomKill?(): void;
}

/** Who was killed, and what the memory that ran short was made of when the killer came. Pages, but for `oomScoreAdj`. */
export interface OomKill {
  readonly pid: number;
  readonly victim: string;
  /** Who wanted the page that was not there. */
  readonly asker: string | undefined;
  readonly rssPages: number;
  readonly oomScoreAdj: number;
  /** The group whose limit was met; undefined: the machine's memory. */
  readonly group: string | undefined;
  readonly limitPages: number;
  /** RSS of those who could have been chosen, together: what ps says. */
  readonly processesPages: number;
  readonly anonPages: number;
  readonly cachePages: number;
  readonly shmemPages: number;
  readonly kernelPages: number;
}

const unset = (): never => {
  throw new Error('a hook of the kernel is not set');
};

/** set_max_threads: the stacks of the kernel (16 KiB each) take an eighth of the memory at most. */
const setMaxThreads = (pages: number): number => Math.floor(pages / 32);

/** Of the recorded disk. */
const DISK_BLOCKS = 2 ** 18;

/** The state of one machine. Times are microseconds since the start of its script. */
export class Kernel {
  readonly profile: Profile;
  readonly frames: Frames;
  readonly zones: Zone[];
  readonly vmstat: VmStat = newVmStat();
  readonly groups: MemCgroup[];
  readonly objects: (AddressSpace | undefined)[] = [undefined];
  readonly files = new Map<string, AddressSpace>();
  /** Blocks of the disk itself: what meminfo calls Buffers, with those of the start. */
  readonly blockDevice: AddressSpace;
  readonly anonVmas: (AnonVma | undefined)[] = [undefined];
  lastAnonId = 0;
  readonly tasks: Task[] = [];
  /** The last inode of each device: of a fresh ext4 the first file has 12. */
  readonly lastInodes = new Map([
    ['103:00', 11],
    ['00:02', 6722],
  ]);
  readonly thp: HugePageSettings;
  private running: Task | null = null;
  /** lru_gen_in_fault: pages that are made now are in use, to the multi-generational lists. */
  inFault = false;
  /** Nobody was left to be killed: the machine has stopped. */
  panicked = false;
  nowUs = 0;
  /** When those that wait for the processor (who was killed for memory, kswapd) have it next, in microseconds. */
  queueTurnUs = Number.POSITIVE_INFINITY;
  /** A worker of the kernel has just had the processor: whoever has had least of it goes on. */
  workerCame = false;
  /** Who has the processor, or waits for the turn of others, is in reclaim. */
  stalls = 0;
  /** When whoever carries out a command in the script loses the processor to another, or to who reads the script. */
  othersTurnUs = Number.POSITIVE_INFINITY;
  /** mmu_gather: pages that were unmapped last by who ends are not freed yet, but kept here. */
  gathering: number[] | null = null;
  /** All that are kept so: reclaim leaves them alone. */
  readonly gathered = new Set<number>();
  psi: Psi = newPsi(0);
  hooks: Hooks = {
    memcgReclaim: unset,
    memcgOutOfMemory: unset,
    memcgHandleOverHigh: unset,
    outOfMemory: unset,
    queueTurn: unset,
    condResched: unset,
    waitForKswapd: unset,
    directReclaim: unset,
    wakeKswapd: unset,
    freePage: unset,
  };
  /** The charges in reserve of the processor, for one group. */
  stockGroup: MemCgroup | null = null;
  stockPages = 0;
  /** What the processor has in reserve for objects of one group. */
  objStock: { group: MemCgroup | null; bytes: number } = { group: null, bytes: 0 };
  readonly rstat: Rstat = newRstat();
  /** The multi-generational LRU, where the kernel has it on. */
  readonly lruGen: LruGenNode | undefined;
  /** Callbacks of call_rcu, in order. */
  readonly rcu: RcuCallback[] = [];
  /** Address spaces and shared memory with pages in swap. */
  readonly mmlist = new SwapList<Mm>();
  readonly shmemSwaplist = new SwapList<AddressSpace>();
  /** Until then who moves a process between groups need not wait. */
  threadgroupSyncUs = 0;
  /** Pages made dirty on the processor since somebody looked at the limits, after how many one looks; and those of tasks that have ended. */
  bdpRatelimits = 0;
  ratelimitPages = 0;
  dirtyThrottleLeaks = 0;
  /** When the processor is the flushers' again, where some want it. */
  flusherTurnUs = Number.POSITIVE_INFINITY;
  /** How much less of the processor it has had than who runs beside it, and when it last had it. */
  flusherBehindUs = 0;
  flusherLeftUs = 0;
  /** Committed_AS in pages. */
  committed = 0;
  overcommitMemory = 0;
  overcommitRatio = 50;
  overcommitKbytes = 0;
  swappiness = 60;
  minFreeKbytes = 0;
  lowmemReserveRatio = [256, 256, 32];
  userReserveKbytes = 0;
  dirtyRatio = 20;
  dirtyBackgroundRatio = 10;
  /** In their place, where they are above 0. */
  dirtyBytes = 0;
  dirtyBackgroundBytes = 0;
  /** vm.dirty_expire_centisecs and vm.dirty_writeback_centisecs, in ticks. */
  dirtyExpire = 30 * HZ;
  dirtyWriteback = 5 * HZ;
  watermarkScaleFactor = 10;
  /** vm.oom_kill_allocating_task: who asks dies. */
  killsAsker = false;
  hugepagesTotal = 0;
  hugepagesFree = 0;
  hugepagesReserved = 0;
  /** Pages beyond the pool, and how many there may be (vm.nr_overcommit_hugepages). */
  hugepagesSurplus = 0;
  hugepagesOvercommit = 0;
  /** Pages of swap: in all and free. */
  swapTotal = 0;
  swapFree = 0;
  /** Pages from vmalloc beyond those of the start. */
  vmallocPages = 0;
  /** Populated for groups since the start. */
  percpuPages = 0;
  readonly kmsg: string[] = [];
  readonly oomKills: OomKill[] = [];
  hugeZeroPage = false;
  /** Pages the kernel itself has, by what they are. */
  slabReclaimableBytes = 0;
  /** Of these, in slabs that have become empty. */
  slabReclaimableEmptyBytes = 0;
  slabEmptyBytes = 0;
  slabUnreclaimableBytes = 0;
  readonly pids: PidNamespace;
  /** Of the root group: it counts nothing. */
  readonly rootPids = new PidsCgroup('', null);
  /** kernel.threads-max. */
  maxThreads: number;
  /** vm.max_map_count: mappings of a process. */
  maxMapCount = 65_530;

  constructor(profile: Profile, zones: Zone[], thp: HugePageSettings) {
    this.profile = profile;
    this.zones = zones;
    const { lruGen } = profile.features;
    this.frames = new Frames(
      zones.map((zone) => zone.managed),
      lruGen,
    );
    this.thp = thp;
    this.groups = [new MemCgroup(0, '/', null, 0)];
    if (lruGen) {
      this.lruGen = new LruGenNode();
      this.lruGen.onlineMemcg(this.root, zones.length, 0);
    }
    this.pids = new PidNamespace(profile.firstPid);
    this.maxThreads = setMaxThreads(this.totalPages - profile.bootHeldPages);
    this.blockDevice = new AddressSpace(1, 'disk', '/dev/pmem0', Number.MAX_SAFE_INTEGER, false);
    // The first and the last block, which nobody is charged for, so that the tree is as high as it gets.
    for (const index of [0, DISK_BLOCKS - 1]) this.blockDevice.tree.add(index, 0);
    this.objects.push(this.blockDevice);
  }

  /** Who has the processor; null: the kernel itself, or who reads the script. */
  get current(): Task | null {
    return this.running;
  }

  set current(task: Task | null) {
    this.running = task;
    // lru_gen_use_mm.
    if (task) task.mm.lruGenUsed = true;
  }

  get root(): MemCgroup {
    return this.groups[0]!;
  }

  /** totalram_pages. */
  get totalPages(): number {
    return this.zones.reduce((sum, zone) => sum + zone.managed, 0);
  }
}
