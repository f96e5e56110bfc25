/**
 * What things take, in microseconds of the machine on which the truth was recorded (Linux 6.1 under QEMU without hardware help): the
 * time of steps of each kind divided by their counts. They say nothing of other machines. Only figures that hang on time use them: when
 * timers and background threads come, what pressure (PSI) adds up to, how long a group makes a process sleep.
 */

/** A system call, and a fault. */
export const CALL_US = 12;
export const FAULT_US = 6.76;
/** A page of a process that ends. */
export const TEARDOWN_PAGE_US = 4.38;

/** A page copied from a file to the program, and back. */
export const READ_COPY_US = 3.1;
export const WRITE_COPY_US = 17.6;
/** A page read from the disk, beside the copy; one written back; one read from swap. */
export const READ_PAGE_US = 4.9;
export const WRITE_PAGE_US = 7.5;
export const SWAP_IN_US = 40;

/**
 * Reclaim: a page freed, one looked at and kept, one that had to be unmapped first, one moved off the active list, and the way in and out
 * of a call.
 */
export const FREED_US = 4.2;
export const KEPT_US = 2;
export const UNMAPPED_US = 2.3;
export const DEACTIVATED_US = 1.8;
export const RECLAIM_CALL_US = 65;

/** A kill is preceded by a search, and reported on a console: of a group, and of all memory. */
export const OOM_GROUP_US = 4_400;
export const OOM_US = 20_000;
