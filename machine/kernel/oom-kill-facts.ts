import type { Kernel, OomKill, Task } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES } from './mm-types.ts';

const rssOf = ({ mm }: Task): number =>
  [MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES].reduce((sum, member) => sum + Math.max(0, mm.rss[member]!), 0);

/** As it is before anything is freed: of `group` with what is below it, or of the machine. */
export function oomKillFacts(k: Kernel, victim: Task, group: MemCgroup | null, members: readonly Task[]): OomKill {
  const sum = (of: (at: MemCgroup) => number): number => {
    let total = 0;
    for (const at of group!.subtree()) total += of(at);
    return total;
  };
  const { vmstat } = k;
  const parts = group
    ? {
        anonPages: sum(({ stat }) => stat.anon),
        cachePages: sum(({ stat }) => stat.file - stat.shmem),
        shmemPages: sum(({ stat }) => stat.shmem),
        kernelPages: sum(({ kmemPages }) => kmemPages),
      }
    : {
        anonPages: vmstat.nr_anon_pages,
        cachePages: vmstat.nr_file_pages - vmstat.nr_shmem,
        shmemPages: vmstat.nr_shmem,
        kernelPages: vmstat.nr_slab_reclaimable + vmstat.nr_slab_unreclaimable + vmstat.nr_page_table_pages,
      };
  return {
    pid: victim.pid,
    victim: victim.name,
    asker: k.current?.name,
    rssPages: rssOf(victim),
    oomScoreAdj: victim.oomScoreAdj,
    group: group?.name,
    limitPages: group ? group.max : k.totalPages,
    processesPages: members.reduce((total, task) => total + rssOf(task), 0),
    ...parts,
  };
}
