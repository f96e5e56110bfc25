/** fs/file.c: the numbers of open files that RLIMIT_NOFILE leaves a process. */
import type { Kernel, Task } from '../kernel/kernel.ts';
import { openFile } from '../kernel/slab.ts';

/** Standard input, output and error. */
const STANDARD_FILES = 3;

/** Of so many files each, those that there is room for. */
export function roomForFiles(task: Task, each: number): number {
  return Math.max(0, Math.floor((task.rlimits.nofile - STANDARD_FILES - task.fds) / each));
}

/** A file that is open for one call. @returns false where there is no number for it (get_unused_fd_flags), which is found out first. */
export function passOpen(k: Kernel, task: Task): boolean {
  if (roomForFiles(task, 1) === 0) return false;
  openFile(k, task)();
  return true;
}
