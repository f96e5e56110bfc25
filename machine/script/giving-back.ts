/** Memory that a command gives back takes time: counted by what is fewer after it. */
import { HPAGE_PMD_NR } from '../kernel/frames.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import {
  EXIT_FREED_US,
  EXIT_SHMEM_FREED_US,
  EXIT_UNMAPPED_US,
  FILE_FREED_US,
  LAZY_FREE_US,
  MUNLOCK_US,
} from '../kernel/recorded-prices.ts';

export interface Held {
  readonly anon: number;
  readonly shmem: number;
  readonly file: number;
  readonly mapped: number;
  readonly lazy: number;
  readonly munlocked: number;
}

const CALLS: ReadonlySet<string> = new Set(['munmap', 'mremap', 'munlock', 'truncate', 'unlink', 'exit']);
const ADVICE: ReadonlySet<string> = new Set(['dontneed', 'free', 'remove']);

/** Whether all that the command does to pages is to give some back. */
export const givesBack = (name: string, words: readonly string[]): boolean =>
  CALLS.has(name) || (name === 'madvise' && ADVICE.has(words[3]!));

export function heldBy({ vmstat }: Kernel, task?: Task): Held {
  // A huge page goes as one.
  const huge = vmstat.nr_anon_transparent_hugepages * HPAGE_PMD_NR;
  return {
    anon: vmstat.nr_anon_pages - huge,
    shmem: vmstat.nr_shmem,
    file: vmstat.nr_file_pages - vmstat.nr_shmem,
    mapped: (task?.mm.getRss() ?? 0) - huge,
    lazy: vmstat.pglazyfree,
    munlocked: vmstat.unevictable_pgs_munlocked,
  };
}

/** How long it takes to come from `before` to `after`, in microseconds. */
export function givingBackUs(before: Held, after: Held): number {
  const fewer = (key: keyof Held) => Math.max(0, before[key] - after[key]);
  const anon = fewer('anon');
  return (
    anon * EXIT_FREED_US +
    Math.max(0, fewer('mapped') - anon) * EXIT_UNMAPPED_US +
    fewer('shmem') * (EXIT_SHMEM_FREED_US - EXIT_UNMAPPED_US) +
    fewer('file') * FILE_FREED_US +
    (after.lazy - before.lazy) * LAZY_FREE_US +
    (after.munlocked - before.munlocked) * MUNLOCK_US
  );
}
