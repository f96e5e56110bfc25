/** kernel/sched/psi.c: time lost to memory. */
import type { Kernel } from './kernel.ts';
import type { MemCgroup, Psi } from './mem-cgroup.ts';

/**
 * record_times: since the last change as many tasks were stalled as are now, and somebody lost that time. Where none of the others ran,
 * nobody got on.
 */
function recordTimes(psi: Psi, nowUs: number, othersRan: boolean): void {
  const us = nowUs - psi.changedUs;
  psi.changedUs = nowUs;
  if (psi.stalled === 0) return;
  psi.someUs += us;
  if (!othersRan) psi.fullUs += us;
}

/** The pressure of the machine and of each group that the group is in. */
function* pressureOf(k: Kernel, group: MemCgroup): Generator<Psi> {
  yield k.psi;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) yield at.psi;
}

/** Up to now, for all; `ran` is the group of who had the processor, if anybody had. */
export function recordStalls(k: Kernel, ran: MemCgroup | null): void {
  recordTimes(k.psi, k.nowUs, ran !== null);
  for (const group of k.groups) if (!group.isRoot) recordTimes(group.psi, k.nowUs, ran?.isIn(group) ?? false);
}

/** psi_task_change: the number of tasks of the group that are stalled; until now `othersRan`. */
function changeStalled(k: Kernel, group: MemCgroup, by: 1 | -1, othersRan: boolean): void {
  for (const psi of pressureOf(k, group)) {
    recordTimes(psi, k.nowUs, othersRan);
    psi.stalled += by;
  }
}

/** psi_memstall_enter of a task that goes to sleep. */
export const sleepsForMemory = (k: Kernel, group: MemCgroup): void => changeStalled(k, group, 1, true);

/** psi_memstall_leave of a task that wakes. */
export const wakesForMemory = (k: Kernel, group: MemCgroup): void => changeStalled(k, group, -1, true);

/** Who has the processor: whose turn it is, or who reads the script. */
const runner = (k: Kernel): MemCgroup => k.current?.group ?? k.root;

/** psi_memstall_enter and _leave around work of the current task that only memory makes necessary. */
export function stalled(k: Kernel, work: () => number): number {
  const group = runner(k);
  changeStalled(k, group, 1, true);
  k.stalls++;
  const result = work();
  k.stalls--;
  changeStalled(k, group, -1, false);
  return result;
}

/** The current task has just lost so much time to memory. */
export function noteStall(k: Kernel, us: number): void {
  for (const psi of pressureOf(k, runner(k))) {
    // Where others wait, the time is counted with theirs.
    if (psi.stalled > 0) continue;
    psi.someUs += us;
    psi.fullUs += us;
  }
}
