/** kernel/sched/psi.c: time lost to memory. */
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';

/** psi_memstall_enter and _leave around work that only memory makes necessary. */
export function stalled(k: Kernel, group: MemCgroup | null, work: () => number): number {
  const before = k.nowUs;
  const result = work();
  noteStall(k, group, k.nowUs - before);
  return result;
}

/** Time that the current task lost to memory: all of the machine's, while nothing else runs. */
export function noteStall(k: Kernel, group: MemCgroup | null, us: number): void {
  const owner = group ?? k.current?.group ?? k.root;
  for (let at: MemCgroup | null = owner; at && !at.isRoot; at = at.parent) {
    at.psi.someUs += us;
    at.psi.fullUs += us;
  }
  k.psi.someUs += us;
  k.psi.fullUs += us;
}
