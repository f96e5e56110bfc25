import { OPERATIONS, type Operation } from '../contract/operations.ts';
import type { Ns } from '../contract/units.ts';
import type { MeasuredTopology } from './topology.ts';

/** Where a price list is from: `stated` by whoever wrote it, with more or less of its own over another one. */
export interface PriceSource {
  readonly name: string;
  readonly origin: 'calibrated' | 'published' | 'stated';
  /** The processors that it was measured with; null: not measured, or not noted. */
  readonly cpus: number | null;
}

/**
 * The price list: what each thing that a thread does costs, in nanoseconds. Models and kernel only count; every
 * nanosecond of virtual time comes from here.
 */
export interface Costs {
  readonly source: PriceSource;
  /**
   * What the program does itself from one call to the next. Here it is a replay, which reads the call from a list and keeps the
   * block in a table.
   */
  readonly eventNs: Ns;
  /** How long a thread that needs a block of another one looks whether it is there before it gives its processor away. */
  readonly pollLimitNs: Ns;
  /** A call that its thread's cache serves. */
  readonly mallocNs: Ns;
  readonly freeNs: Ns;
  /** The same of jemalloc's. */
  readonly jemallocMallocNs: Ns;
  readonly jemallocFreeNs: Ns;
  /** What of slow paths and the kernel was counted, each time it was. */
  readonly operations: Readonly<Record<Operation, Ns>>;
  /** How far the same work is from its price half of the times, as a share of the price (a quartile's distance from the median). */
  readonly priceSpread: number;
  /** Acquire and release of a lock that nobody else wants, its line being in the own cache. */
  readonly lockNs: Ns;
  /** A line that another processor wrote last comes over; a lock's, and while it is held the lines that it guards. */
  readonly lineTransferNs: Ns;
  readonly guardedTransferNs: Ns;
  /** How long a processor that takes a lock again and again keeps its line, where another one wants it too. */
  readonly lineKeepNs: Ns;
  /** A failed look at a lock that spins, and how long the spinning lasts at most. */
  readonly spinLimitNs: Ns;
  /** Into the kernel and out again; part of each system call's price, and not spent under its lock. */
  readonly syscallNs: Ns;
  /** futex(FUTEX_WAIT) of a lock that is released before the kernel looks at it. */
  readonly futexWaitNs: Ns;
  readonly futexWakeNs: Ns;
  /** What FUTEX_WAKE takes longer where somebody sleeps on a word of the bucket: its lock, and the list. */
  readonly futexWakeWorkNs: Ns;
  /** Waking a thread that sleeps, beyond the call, on the waker: where it only queues, and where its processor is to be interrupted. */
  readonly wakeThreadNs: Ns;
  readonly wakeIdleNs: Ns;
  /** From the wake-up to the first instruction of a thread whose processor has to be interrupted for it. */
  readonly wakeLatencyNs: Ns;
  readonly contextSwitchNs: Ns;
  /** pthread_create(), for the thread that makes another one. */
  readonly threadCreateNs: Ns;
  /** What a thread's begin and exit cost the processor it runs on. */
  readonly threadBeginNs: Ns;
  readonly threadExitNs: Ns;
  /** When pages or rights are taken away while other processors run threads of the process: for the first of them, for each further one, and there. */
  readonly shootDownNs: Ns;
  readonly shootDownTargetNs: Ns;
  readonly interruptNs: Ns;
  /** A batch of PCP_BATCH pages between a processor's list and its zone, under the zone's lock; part of the prices of faults and of pages given back. */
  readonly zoneBatchNs: Ns;
  /** Caches, for what the program writes: sizes in bytes, rates in bytes per nanosecond. */
  readonly cacheL2Bytes: number;
  readonly cacheL3Bytes: number;
  readonly fillRateL2: number;
  readonly fillRateL3: number;
  readonly fillRateMemory: number;
  /** A page that a fault has just cleared. */
  readonly fillRateCleared: number;
  /** A single write (`w` of a few bytes, touch `first`) that finds its line in the own cache; in the shared one; in memory. */
  readonly writeL2Ns: Ns;
  readonly writeL3Ns: Ns;
  readonly writeMemoryNs: Ns;
  /** The machine that the prices were measured on, where that was measured too. */
  readonly topology?: MeasuredTopology;
}

/**
 * A small virtual machine: two processors of an AMD EPYC (Zen 3), KVM, Linux 6.18. All from `sim calibrate` there, at two times: the
 * machine was twice as fast at the first. Prices that were measured only the second time (what the program does itself, looks at
 * chunks, filling of cleared pages, rousing of processors, what comes over with a lock, interrupts) are given here in the
 * first's terms, by the ratio of those that were measured both times: locks, system calls, futex calls and faults, 0.55. mprotect: a
 * quarter more than then, which is what it takes longer on a heap that is used. pthread_create, the spread, and jemalloc's calls beside glibc's (0.70 of them) were measured later.
 * malloc's share of a pair of calls (0.46), a thread's begin of its life (0.205), and what FUTEX_WAKE does under its bucket's lock: measured later still.
 * What a further target of a shoot-down costs no machine with two processors can tell: a broadcast to 79 others took 93 us on KVM with x2APIC
 * clusters where one interrupt took 2.5 (commit 4180bf1b655a). A batch of pages from the zone: rmqueue_bulk() takes 1 to 2 us where nobody else wants the lock, on
 * an EPYC 7W83 under KVM, the low end of a histogram on linux-mm (spinics.net/lists/linux-mm/msg396387.html): the middle of that.
 *
 * What no measurement isolates is derived: a split or a coalesce writes three or four words of two chunks that a search has
 * looked at already; a slow call is what a trip into an arena costs beyond the lock and a split, all in the caches. What it
 * costs more where neither caches nor branch predictors know the way is the price of a look at a chunk. In cycles of Zen 3 at 3.5 GHz (uops.info: a load
 * that the first cache has 4, an exchange of a word 18): a word of a bitmap is a load; a consolidation exchanges ten fastbins; a block that jemalloc's cache is filled
 * with is a word of the slab's bitmap read and written, one that it is emptied of the two levels of its radix tree before. A store that the own cache takes: 1 ns.
 */
const VIRTUAL_MACHINE: Costs = {
  source: { name: 'vm', origin: 'calibrated', cpus: 2 },
  eventNs: 3.5,
  pollLimitNs: 3_000,
  mallocNs: 5.1,
  freeNs: 5.9,
  jemallocMallocNs: 3.6,
  jemallocFreeNs: 4.1,
  operations: {
    slowCalls: 2,
    binScanSteps: 30,
    bitmapWords: 1,
    treeSteps: 30,
    splits: 2.5,
    coalesces: 2.5,
    listInserts: 2,
    consolidations: 60,
    cacheFills: 3,
    cacheFlushes: 5,
    bytesCopied: 1 / 45,
    bytesCleared: 1 / 80,
    faults: 1_650,
    hugeFaults: 50_000,
    pagesReleased: 250,
    brk: 1_400,
    mmap: 900,
    munmap: 2_500,
    mremap: 1_800,
    madvise: 400,
    mprotect: 1_100,
    zeroPagesReplaced: 0, // beyond the fault and the shoot-down
    flushes: 900,
    brkShrinks: 3_300,
    mappingsEntered: 3_000,
  },
  priceSpread: 0.006,
  lockNs: 5,
  lineTransferNs: 30,
  guardedTransferNs: 85,
  lineKeepNs: 350,
  spinLimitNs: 9_000,
  syscallNs: 100,
  futexWaitNs: 200,
  futexWakeNs: 150,
  futexWakeWorkNs: 45,
  wakeThreadNs: 800,
  wakeIdleNs: 4_500,
  wakeLatencyNs: 12_000,
  contextSwitchNs: 600,
  threadCreateNs: 42_000,
  threadBeginNs: 5_100,
  threadExitNs: 19_900,
  shootDownNs: 8_000,
  shootDownTargetNs: 1_200,
  interruptNs: 5_000,
  zoneBatchNs: 1_500,
  cacheL2Bytes: 524_288,
  cacheL3Bytes: 33_554_432,
  fillRateL2: 100,
  fillRateL3: 50,
  fillRateMemory: 25,
  fillRateCleared: 12,
  writeL2Ns: 1,
  writeL3Ns: 3,
  writeMemoryNs: 8,
};

/**
 * A server without a hypervisor. Sources of what differs: a minor fault with its cleared page is 0.25 to 0.5 us in
 * lmbench's lat_pagefault and in will-it-scale's page_fault1 on x86 servers since 2017; system call entry 70 to 100 ns
 * with the mitigations on; a remote TLB flush under 1 us (Amit, "Optimizing the TLB shootdown algorithm", ATC 2017);
 * wake-up of an idle core 1.5 to 3 us (schbench, perf bench futex); a FUTEX_WAIT that fails 0.64 us (perf bench futex hash, 1.57 M calls a second
 * for each of 112 threads on Skylake: commit a734d9fca84e), and a FUTEX_WAKE as much less as in the virtual machine; a thread made and joined 9 us on Skylake (lemire.me, "Cost of a thread in C++ under
 * Linux", 2020), divided into its parts as there; a shoot-down 6 us with 16 cores (Kumar et al., "Latr: Lazy Translation Coherence", ASPLOS 2018): 0.37 us a further target.
 * What nobody has published by itself, other work of the kernel on mappings and page tables, is in the proportion to a fault that the virtual machine
 * has, an interrupt in that to a shoot-down; a huge fault is as much cheaper than there as a small one.
 */
const FAULT_NS = 400;
const SHOOT_DOWN_NS = 700;
const asFaults = (name: Operation): Ns =>
  Math.round((VIRTUAL_MACHINE.operations[name] * FAULT_NS) / VIRTUAL_MACHINE.operations.faults);

const BARE_METAL: Costs = {
  ...VIRTUAL_MACHINE,
  source: { name: 'bare-metal', origin: 'published', cpus: null },
  operations: {
    ...VIRTUAL_MACHINE.operations,
    faults: FAULT_NS,
    hugeFaults: VIRTUAL_MACHINE.operations.hugeFaults - VIRTUAL_MACHINE.operations.faults + FAULT_NS,
    pagesReleased: asFaults('pagesReleased'),
    brk: asFaults('brk'),
    mmap: asFaults('mmap'),
    munmap: asFaults('munmap'),
    mremap: asFaults('mremap'),
    madvise: asFaults('madvise'),
    mprotect: asFaults('mprotect'),
    flushes: asFaults('flushes'),
    brkShrinks: asFaults('brkShrinks'),
    mappingsEntered: asFaults('mappingsEntered'),
  },
  syscallNs: 80,
  futexWaitNs: 640,
  futexWakeNs: 450,
  futexWakeWorkNs: 130,
  wakeThreadNs: 800,
  wakeIdleNs: 1_000,
  wakeLatencyNs: 2_000,
  threadCreateNs: 5_600,
  threadBeginNs: 700,
  threadExitNs: 2_700,
  shootDownNs: SHOOT_DOWN_NS,
  shootDownTargetNs: 370,
  interruptNs: (VIRTUAL_MACHINE.interruptNs * SHOOT_DOWN_NS) / VIRTUAL_MACHINE.shootDownNs,
};

export const COST_PROFILES: Readonly<Record<string, Costs>> = { vm: VIRTUAL_MACHINE, 'bare-metal': BARE_METAL };
export const DEFAULT_PROFILE = 'vm';

/** With the prices of calls that the cache of the model of this name serves. */
export function costsOf(model: string, costs: Costs): Costs {
  if (model !== 'jemalloc') return costs;
  return { ...costs, mallocNs: costs.jemallocMallocNs, freeNs: costs.jemallocFreeNs };
}

/** Prices in the order of the operation counters. */
export function operationPrices(costs: Costs): Float64Array {
  return Float64Array.from(OPERATIONS, (name) => costs.operations[name]);
}
