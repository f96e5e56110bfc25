/**
 * What things take, in microseconds of the machine on which the truth was recorded (Linux 6.1 under QEMU without hardware help): the
 * time of steps of each kind divided by their counts. They say nothing of other machines. Only figures that hang on time use them: when
 * timers and background threads come, what pressure (PSI) adds up to, how long a group makes a process sleep.
 */

/** A system call, and a fault. */
export const CALL_US = 12;
export const FAULT_US = 6.76;
/** A huge page that is cleared; a fork, and each page of which it copies the entry. */
export const HUGE_FAULT_US = 580;
export const FORK_US = 150;
export const FORK_PAGE_US = 0.26;
/**
 * khugepaged: a waking, an entry that it looks at, and a collapse. Of an entry: 340 passes over 16,384 of them in 2 s (0.358) where it
 * never slept; a call that follows another without sleep took about 1, so nearly all of a waking's is the sleep's end.
 */
export const SCAN_CALL_US = 60;
export const SCAN_PTE_US = 0.35;
export const COLLAPSE_US = 2540;
/** What reads a script and asks for figures: of a command, of a sample of the machine, of each process in it and each of its pages. */
export const COMMAND_US = 70;
export const SAMPLE_US = 2000;
export const SAMPLE_PROCESS_US = 700;
export const SAMPLE_PAGE_US = 0.75;
/**
 * A page of a process that ends, alone on the processor: where it is freed, and where others keep it. Ends of processes with 102,400 pages
 * each took 260 and 270 ms; 60 where a parent had them too, 70 of shared memory that another kept and 670 of such that nobody did, and 70
 * for 76,800 pages of a file.
 */
export const EXIT_FREED_US = 2.6;
export const EXIT_UNMAPPED_US = 0.65;
export const EXIT_SHMEM_FREED_US = 5.9;

/** A page copied from a file to the program, and back. */
export const READ_COPY_US = 3.1;
/** One written to a disk's file that has a block, and is not cached; is cached and clean; cached and dirty. A new one: KernelFeatures. */
export const WRITE_UNCACHED_US = 9.7;
export const WRITE_CLEAN_US = 4.5;
export const WRITE_DIRTY_US = 3.2;
export const WRITE_SHMEM_US = 7.2;
/** A page read from the disk, beside the copy; one written back; one read from swap: 15,360 of them took 12.5 with their faults. */
export const READ_PAGE_US = 4.9;
export const WRITE_PAGE_US = 7.5;
export const SWAP_IN_US = 5.7;
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

/**
 * Reclaim: a page freed, one looked at and kept, one that had to be unmapped first, one moved off the active list, and the way in and out
 * of a call (350 calls of a group with nothing to give back: 30.5 ms).
 */
export const FREED_US = 4.2;
export const KEPT_US = 2;
export const UNMAPPED_US = 2.3;
export const DEACTIVATED_US = 1.8;
export const RECLAIM_CALL_US = 87;
/** Each mapping of a page that is kept: 20,480 looks at pages with eight took 125 ms more than with two. */
export const KEPT_MAPPING_US = 1.02;

/**
 * A kill is preceded by a search, and reported: of a group (ten of them, with 10,210 faults and the ends of ten processes, took 130 ms), and of
 * all memory.
 */
export const OOM_GROUP_US = 500;
export const OOM_US = 20_000;
