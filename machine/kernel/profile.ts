/**
 * What a machine's kernel holds before the first process of a script runs. The figures of 6.1 are of Debian 12's kernel in a virtual
 * machine with a processor, a 64 MiB bounce buffer and a disk in memory (recorded; see docs/machine.md).
 */
import { type KernelPrices, PRICES_6_1, PRICES_6_12 } from './recorded-prices.ts';
export interface Profile {
  readonly kernel: string;
  readonly release: string;
  readonly memoryMb: number;
  readonly processors: number;
  readonly firstPid: number;
  /** Pages of each zone: present, and managed. */
  readonly zones: readonly { name: 'DMA' | 'DMA32' | 'Normal'; present: number; managed: number }[];
  /** Pages that the kernel held when it set the marks and gave back later. */
  readonly bootHeldPages: number;
  readonly bootHeldKbAtMinFree: number;
  /** kB in use at the start, by what they are; `otherKb` is in none of meminfo's lines. */
  readonly start: {
    readonly anonKb: number;
    readonly ramfsKb: number;
    readonly buffersKb: number;
    readonly slabReclaimableKb: number;
    readonly slabUnreclaimableKb: number;
    /** More of it where huge pages are on. */
    readonly hugeSlabKb: number;
    readonly kernelStackKb: number;
    readonly pageTablesKb: number;
    readonly vmallocKb: number;
    readonly percpuKb: number;
    readonly committedKb: number;
    readonly mappedKb: number;
    readonly otherKb: number;
  };
  readonly features: KernelFeatures;
  readonly prices: KernelPrices;
}

/** What differs between versions of the kernel. */
export interface KernelFeatures {
  /** Counts of resident pages kept by the task and added every 64 faults (to 6.1), or one per-CPU counter. */
  readonly splitRssCounting: boolean;
  /** LRU_GEN_ENABLED: pages are in generations, not on two lists. */
  readonly lruGen: boolean;
  /** Reclaim by generations moves dirty pages of files on to the next one before it gets to them (sort_folio, to 6.12.95 at least). */
  readonly sortsDirtyFolios: boolean;
  /** Reclaim in a group goes through those below it only until it has enough, and goes on from there the next time (memcg_full_walk). */
  readonly partialWalks: boolean;
  /** Reclaim wakes the flushers where all that it met in a group is dirty: not by generations before 6.13. */
  readonly wakesFlushersForGroup: boolean;
  /** How much of a group is dirty is known as of the last flush of its statistics, which no writer causes (mem_cgroup_flush_stats_ratelimited). */
  readonly ratelimitsWbStats: boolean;
  /** PAGEVEC_SIZE: pages that wait in a batch of the processor. */
  readonly folioBatch: number;
  /** EEVDF (from 6.6): who sleeps keeps what it was behind the others. Before, it was half a period behind whoever ran. */
  readonly sleepersKeepLag: boolean;
  /** Faults take the lock of their mapping (from 6.4). */
  readonly perVmaLock: boolean;
  /** Upper page directories are counted among PageTables. */
  readonly countsUpperTables: boolean;
  /** smaps looks huge pages up with follow_trans_huge_pmd (to 6.5): those without any access are left out. */
  readonly smapsFollowsHugePmd: boolean;
  /** Counters of a group for one processor: memcg_vmstats_percpu and lruvec_stats_percpu, as recorded. */
  readonly groupPercpuBytes: number;
  /** All that a group takes of a processor's own memory, and what is free of that at the start before more is populated: 26 groups, one by one. */
  readonly groupPercpuAreaBytes: number;
  readonly percpuSpareBytes: number;
}

const FEATURES: Readonly<Record<string, KernelFeatures>> = {
  '6.1': {
    splitRssCounting: true,
    lruGen: false,
    sortsDirtyFolios: false,
    partialWalks: false,
    wakesFlushersForGroup: true,
    ratelimitsWbStats: false,
    folioBatch: 15,
    sleepersKeepLag: false,
    perVmaLock: false,
    countsUpperTables: false,
    smapsFollowsHugePmd: true,
    groupPercpuBytes: 1784,
    groupPercpuAreaBytes: 2048,
    percpuSpareBytes: 5120,
  },
  '6.12': {
    splitRssCounting: false,
    lruGen: true,
    sortsDirtyFolios: true,
    partialWalks: true,
    wakesFlushersForGroup: false,
    ratelimitsWbStats: true,
    folioBatch: 31,
    sleepersKeepLag: true,
    perVmaLock: true,
    countsUpperTables: true,
    smapsFollowsHugePmd: false,
    groupPercpuBytes: 1056,
    groupPercpuAreaBytes: 1872,
    percpuSpareBytes: 6800,
  },
  '6.18': {
    splitRssCounting: false,
    lruGen: true,
    sortsDirtyFolios: false,
    partialWalks: true,
    wakesFlushersForGroup: true,
    ratelimitsWbStats: true,
    folioBatch: 31,
    sleepersKeepLag: true,
    perVmaLock: true,
    countsUpperTables: true,
    smapsFollowsHugePmd: false,
    groupPercpuBytes: 1056,
    groupPercpuAreaBytes: 1872,
    percpuSpareBytes: 6800,
  },
};
const RELEASES: Readonly<Record<string, string>> = { '6.1': '6.1.0', '6.12': '6.12.0', '6.18': '6.18.0' };

/** What the kernel holds before the first process, as recorded. From 6.2 on its own page tables are counted. */
const START_6_1 = {
  slabReclaimableKb: 9648,
  slabUnreclaimableKb: 6692,
  hugeSlabKb: 116,
  kernelStackKb: 800,
  pageTablesKb: 20,
  percpuKb: 260,
};
const START_6_12 = {
  slabReclaimableKb: 672,
  slabUnreclaimableKb: 7280,
  hugeSlabKb: 152,
  kernelStackKb: 880,
  pageTablesKb: 304,
  percpuKb: 276,
};

/** With less the recorded kernel reclaims, and shrinks its bounce buffer, before the first process runs. */
export const LEAST_MEMORY_MB = 192;

const PAGES_A_MB = 256;
const DMA = { name: 'DMA' as const, present: 3998, managed: 3840 };
/** Memory below the hole for devices. */
const LOW_MB = 3072;

/** The machine with `memoryMb` given to it; what the kernel leaves of it is MemTotal. */
export function profileOf(memoryMb: number, kernel: string, processors: number): Profile {
  const features = FEATURES[kernel]!;
  // Each section of 128 MiB has 2 MiB of struct page; hash tables double with memory; the rest is text, data and bounce buffer.
  const structPages = Math.ceil(memoryMb / 128) * 512;
  // Of what is left beside the page structs (64 bytes for 4 KiB), the next power of two.
  const octave = Math.ceil(Math.log2((memoryMb * 63) / 64)) - 9;
  const modern = kernel !== '6.1';
  // As recorded from 192 to 1088 MB; the tables of the later kernels double one power of two later.
  const tables = 192 * 2 ** (modern ? Math.max(Math.min(octave, 1), octave - 1) : octave);
  // From 768 to 1023 MB two pages more are left.
  const odd = modern && memoryMb >= 768 && memoryMb < 1024 ? 2 : 0;
  const held = structPages + (modern ? 26256 : 28016) + tables - odd;
  const present = memoryMb * PAGES_A_MB - 4129;
  const low = Math.min(present, LOW_MB * PAGES_A_MB);
  const zones: Profile['zones'] =
    present > low
      ? [
          DMA,
          { name: 'DMA32', present: low, managed: low - Math.floor((held * low) / present) },
          {
            name: 'Normal',
            present: present - low,
            managed: present - low - Math.ceil((held * (present - low)) / present),
          },
        ]
      : [DMA, { name: 'DMA32', present, managed: present - held }];
  return {
    kernel,
    release: RELEASES[kernel]!,
    memoryMb,
    processors,
    // As recorded: a kernel thread fewer has come and gone on the smallest.
    firstPid: memoryMb <= 320 ? 85 : 86,
    zones,
    bootHeldPages: 3020,
    bootHeldKbAtMinFree: 12600,
    start: {
      anonKb: 2064,
      ramfsKb: 6840,
      buffersKb: 16,
      ...(modern ? START_6_12 : START_6_1),
      vmallocKb: 8912,
      committedKb: -8,
      mappedKb: 808,
      otherKb: otherKb(modern, octave, memoryMb),
    },
    features,
    prices: modern ? PRICES_6_12 : PRICES_6_1,
  };
}

/**
 * What is in none of meminfo's lines at the start, as recorded from 192 to 4096 MB: hash tables and what else is made for so much memory
 * (MemTotal less everything that the first sample names).
 */
function otherKb(modern: boolean, octave: number, memoryMb: number): number {
  if (modern) return 1340 * 2 ** Math.max(0, octave - 2);
  if (octave < 0) return 1180;
  if (octave < 1) return memoryMb < 360 ? 1368 : memoryMb < 432 ? 1316 : 1240;
  if (octave < 2) return 1520;
  if (octave < 3) return memoryMb < 1200 ? 2056 : 2540;
  return (memoryMb < 3584 ? 4296 : 4580) * 2 ** (octave - 3);
}
