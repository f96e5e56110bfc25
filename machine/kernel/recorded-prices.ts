/**
 * What things take, in microseconds of the machine on which the truth was recorded (Linux 6.1 under QEMU without hardware help): the
 * time of steps of each kind divided by their counts. They say nothing of other machines. Only figures that hang on time use them: when
 * timers and background threads come, what pressure (PSI) adds up to, how long a group makes a process sleep.
 */

/** What the later kernels took other times for, as recorded. */
export interface KernelPrices {
  /** A fault that maps what is there: 7,681 pages of shared memory that another process had made took 33.8 ms. */
  readonly faultUs: number;
  /** A page copied from a file to the program. */
  readonly readCopyUs: number;
  /** A page read from the disk, beside the copy. */
  readonly readPageUs: number;
  /** One read from swap: 15,360 of them took 12.5 with their faults; from 6.12 on 21. */
  readonly swapInUs: number;
  /**
   * A page written to a new place of a file (12 to 24 MB, of which nothing was written back meanwhile: 16.4 each), and what it takes more in a
   * group, which is charged (30 MB took 136 ms; 97 from 6.12 on).
   */
  readonly writeNewUs: number;
  readonly writeNewOfGroupUs: number;
  /**
   * A page written back: found, made part of a bio (beside the one before it in memory, or as a piece of its own), copied to the disk, and
   * ended. Of a group, 2,048 of them in one bio took 7.25 ms, 6.89 and 3.93 by sched_switch (7.10, 6.94 and 4.00 from 6.12 on), and in bios
   * of 256 pieces 2.1 ms to the first and 1.594 from one to the next (block_bio_queue). All together: 40 to 200 MB with sync took 25.2 a page
   * with the writing, and 20.6 from 6.12 on; a group's flusher had the processor for 344 ms for 38,912 pages, and 296 for 33,413.
   */
  readonly writeFoundUs: number;
  readonly writeMergedUs: number;
  readonly writePieceUs: number;
  readonly writeCopiedUs: number;
  readonly writeEndedUs: number;
  readonly writeEndedOfGroupUs: number;
  /**
   * The way in and out of a call of reclaim, and each pass in it: 350 calls of a group with nothing to give back, of 13 passes each, took
   * 30.5 ms, and 512 pages written at a group's limit, in 16 calls, 11.44 (9.1 before it was met).
   */
  readonly reclaimCallUs: number;
  readonly reclaimPassUs: number;
  /**
   * A page freed by reclaim, and one that had been written, which has buffers, beside that. Batches of 11 and 32 pages took 40 and 105 us, of such with
   * buffers 58 and 144 (mm_vmscan_lru_shrink_inactive, which takes 1.25 itself); from 6.12 on 14,464 with buffers took 20.5 ms more.
   */
  readonly freedUs: number;
  readonly bufferedUs: number;
}

export const PRICES_6_1: KernelPrices = {
  faultUs: 4.4,
  readCopyUs: 3.1,
  readPageUs: 4.9,
  swapInUs: 8.1,
  writeNewUs: 16.25,
  writeNewOfGroupUs: 1.34,
  writeFoundUs: 0.92,
  writeMergedUs: 2.62,
  writePieceUs: 0.88,
  writeCopiedUs: 3.36,
  writeEndedUs: 1.85,
  writeEndedOfGroupUs: 0.09,
  reclaimCallUs: 6,
  reclaimPassUs: 6.25,
  freedUs: 3.1,
  bufferedUs: 1.3,
};

/**
 * 10,240 faults that made a page of zeros took 82.9 ms, 5,120 pages of a file read again 9.1, and 10,240 read from the disk 111. Eighteen calls of reclaim in a
 * group with nothing to give back, of 26 passes each, took 3.4 ms, and 946 that freed 64 pages each 247.
 */
export const PRICES_6_12: KernelPrices = {
  faultUs: 5.67,
  readCopyUs: 1.78,
  readPageUs: 9.1,
  swapInUs: 15.4,
  writeNewUs: 11.85,
  writeNewOfGroupUs: 0.8,
  writeFoundUs: 0.92,
  writeMergedUs: 2.55,
  writePieceUs: 0.85,
  writeCopiedUs: 3.39,
  writeEndedUs: 1.7,
  writeEndedOfGroupUs: 0.29,
  reclaimCallUs: 20,
  reclaimPassUs: 6.5,
  freedUs: 3.6,
  bufferedUs: 1.42,
};

/**
 * A system call. Beside a fault a fresh page of zeros (6.76 with the fault, in 6.1), one copied (2,816 took 24.0 ms), one of shared memory
 * (512 took 5.26), and one of a disk's file that is made writable (5,120 took 33.4).
 */
export const CALL_US = 12;
export const ZEROED_PAGE_US = 2.36;
export const COPIED_PAGE_US = 4.1;
export const SHMEM_PAGE_US = 5.9;
export const MKWRITE_US = 2.1;
/**
 * A huge page that is cleared; a fork, each mapping, and each entry, of a page or of a huge one, that it copies: 617 of 707 recorded forks are within
 * 150 us of these.
 */
export const HUGE_FAULT_US = 580;
export const FORK_US = 85;
export const FORK_VMA_US = 6.8;
export const FORK_ENTRY_US = 0.248;
/**
 * khugepaged: a waking, an entry that it looks at, and a collapse. Of an entry: 340 passes over 16,384 of them in 2 s (0.358) where it
 * never slept; a call that follows another without sleep took about 1, so nearly all of a waking's is the sleep's end.
 */
export const SCAN_CALL_US = 60;
export const SCAN_PTE_US = 0.35;
export const COLLAPSE_US = 2540;
/**
 * What reads a script and asks for figures: of a command, of a sample of the machine, of each process in it, each of its regions and each
 * entry of its tables, and of each group. Fifty samples each: 2.0 ms, 3.4 with a fresh process, 1.2 more for eight regions, 7.4 and 6.2 more
 * for 8,192 pages of private and of shared memory, 0.2 for sixteen huge pages, 0.6 for a group.
 */
export const COMMAND_US = 70;
export const SAMPLE_US = 2000;
export const SAMPLE_PROCESS_US = 1240;
export const SAMPLE_REGION_US = 150;
export const SAMPLE_PAGE_US = 0.8;
export const SAMPLE_GROUP_US = 570;
/**
 * A page of a process that ends, alone on the processor: where it is freed, and where others keep it. Ends of processes with 102,400 pages
 * each took 260 and 270 ms; 60 where a parent had them too, 70 of shared memory that another kept and 670 of such that nobody did, and 70
 * for 76,800 pages of a file.
 */
export const EXIT_FREED_US = 2.6;
export const EXIT_UNMAPPED_US = 0.65;
export const EXIT_SHMEM_FREED_US = 5.9;

/** A page of a disk's file that is dropped with others (51,200 took 244 ms), one that MADV_FREE marks (25,590, 37.4) and one unlocked (5,120, 7.6). */
export const FILE_FREED_US = 4.77;
export const LAZY_FREE_US = 1.46;
export const MUNLOCK_US = 1.48;

/** A page written to a disk's file that has a block, and is not cached; is cached and clean; cached and dirty. A new one: KernelPrices. */
export const WRITE_UNCACHED_US = 9.7;
export const WRITE_CLEAN_US = 4.5;
export const WRITE_DIRTY_US = 3.2;
export const WRITE_SHMEM_US = 7.2;
/** One that swapoff brings back, beside that: 10,240 pages took 145 ms. */
export const SWAP_OFF_US = 8.5;
/** One written to swap, beside what reclaim does with it. */
export const SWAP_OUT_US = 11.4;
/**
 * A page compressed (lzo-rle) and got back, beside these, and each byte that it is stored in: MADV_PAGEOUT of 15,360 pages and reading them,
 * on zram against a file, took 12.2 and 3.3 more a page stored in 841 bytes, 15.1 and 4.6 in 2,085.
 */
export const ZRAM_COMPRESS_US = 10.24;
export const ZRAM_COMPRESS_BYTE_US = 0.00233;
export const ZRAM_DECOMPRESS_US = 2.42;
export const ZRAM_DECOMPRESS_BYTE_US = 0.00105;

/** Reclaim: a page looked at and kept, one that had to be unmapped first, one moved off the active list. */
export const KEPT_US = 2;
export const UNMAPPED_US = 2.3;
export const DEACTIVATED_US = 1.8;
/** By generations: one moved on to a younger one (86,335 took 98.1 ms), and an entry that a walk found used (20,435 took 10). */
export const SORTED_US = 1.14;
export const WALKED_US = 0.49;
/** Each mapping of a page that is kept: 20,480 looks at pages with eight took 125 ms more than with two. */
export const KEPT_MAPPING_US = 1.02;

/** Beside its pages each batch that reclaim takes from a list; and a page that goes on from the list of the processor (each third batch of 32 took 56 us more). */
export const RECLAIM_BATCH_US = 4.5;
export const BULK_FREED_US = 0.6;
/**
 * Each group more that a pass of reclaim comes to: 35 calls of 13 passes each in six groups with nothing to give back took 7.41 ms, and 350 in
 * one 30.5.
 */
export const RECLAIM_GROUP_US = 1.92;
/** And one of all memory, which asks the shrinkers of the machine: kswapd's of 12 passes in six groups with nothing to give back took 299 us each. */
export const RECLAIM_MACHINE_US = 8.85;

/**
 * A kill is preceded by a search, and reported: of a group (ten of them, with 10,210 faults and the ends of ten processes, took 130 ms), and of
 * all memory (who asked had the processor for 44 ms around four of them, 39 of which were pressure).
 */
export const OOM_GROUP_US = 500;
export const OOM_US = 6_000;

/** A thread's first turn, until it sleeps (by sched_switch). */
export const THREAD_START_US = 10;
/**
 * One made: a thread (4 took 398), a descriptor of a device (2,000 took 21.3 ms), a pipe (500, 10.9), a pair of sockets (500, 17.4; 200 with a
 * message each 10.2), a socket of UDP (500, 8.2).
 */
export const THREAD_US = 95;
export const OPEN_US = 10.6;
export const PIPE_US = 21.7;
export const SOCKET_PAIR_US = 34.7;
export const SOCKET_QUEUED_US = 16;
export const UDP_SOCKET_US = 16.4;

/**
 * Names: opened and closed (3,000 took 49.3 ms), looked at (3,000, 26.3) and known not to be there (1,000, 6.7). Of tmpfs one made takes more (1,000, 40.2 in
 * all), and one that is not there, which it does not keep (1,000, 12.0).
 */
export const OPEN_NAME_US = 16.4;
export const STAT_US = 8.8;
export const STAT_ABSENT_US = 6.7;
export const TMPFS_CREATE_US = 23.8;
export const TMPFS_ABSENT_US = 5.3;
/**
 * Of ext4, beside these: a name that is not in memory, each entry that is gone through for it, its inode, one made, and what it takes more in a
 * directory with an index. In a directory of ten 10 that are not there took 155 us and 10 made 773; in such of 3,000 and 4,000 1,000 took 53.2 ms,
 * 20,000 1,239, and 2,000 and 4,000 made 454 and 920; looking at 3,000 after drop_caches took 140.6 ms.
 */
export const EXT4_LOOKUP_US = 6.6;
export const EXT4_ENTRY_US = 0.19;
export const EXT4_INODE_US = 10.2;
export const EXT4_CREATE_US = 52.5;
export const EXT4_INDEXED_CREATE_US = 69;
/** A directory (of ext4: six took 304 to 322 us), and a name with its inode that drop_caches forgets (6,000 took 24.2 ms). */
export const EXT4_MKDIR_US = 300;
export const TMPFS_MKDIR_US = 20;
export const NAME_DROPPED_US = 4;
/** An entry of swap that goes: named by others too (5,120 took 2.5 ms), and with its slot (5,120, 12.8). */
export const SWAP_ENTRY_US = 0.49;
export const SWAP_SLOT_US = 2;
