/** mm/oom_kill.c: who dies when there is nothing left. */
import type { Kernel, Task } from './kernel.ts';
import { type MemCgroup, memcgEvent } from './mem-cgroup.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm-types.ts';
import { oomKillFacts } from './oom-kill-facts.ts';

const OOM_SCORE_ADJ_MIN = -1000;
/** They have their signal; `isOfMany`: others of the group follow. */
type Kill = (tasks: readonly Task[], isOfMany: boolean) => void;

const NOBODY = 'Out of memory and no killable processes...';

/** oom_badness: pages that the process would give back, and its adjustment in thousandths of all; undefined where it may not die. */
export function oomBadness(task: Task, totalPages: number): number | undefined {
  if (!task.alive || task.oomVictim || task.oomScoreAdj === OOM_SCORE_ADJ_MIN) return undefined;
  const points = task.mm.getRss() + Math.max(0, task.mm.rss[MM_SWAPENTS]) + task.mm.tablePages;
  return points + task.oomScoreAdj * Math.trunc(totalPages / 1000);
}

/** proc_oom_score. */
export function oomScore(k: Kernel, task: Task): number {
  const total = k.totalPages + k.swapTotal;
  const badness = oomBadness(task, total);
  if (badness === undefined) return 0;
  return Math.floor(((1000 + Math.trunc((badness * 1000) / total)) * 2) / 3);
}

const inGroup = (task: Task, group: MemCgroup): boolean => task.group.isIn(group);

/** oom_evaluate_task: while one that was killed has memory to give back (MMF_OOM_SKIP is not set), nobody else is. */
const waitsForVictim = (tasks: readonly Task[]): boolean =>
  tasks.some(({ alive, oomVictim, oomSkip }) => alive && oomVictim && !oomSkip);

/** select_bad_process: of equals the last that oom_evaluate_task comes to. */
function selectBadProcess(tasks: readonly Task[], totalPages: number): Task | undefined {
  let chosen: Task | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const task of tasks) {
    const points = oomBadness(task, totalPages);
    if (points !== undefined && points >= most) {
      most = points;
      chosen = task;
    }
  }
  return chosen;
}

function headerLines(k: Kernel, asker: Task | null, group: MemCgroup | null): void {
  const adj = asker?.oomScoreAdj ?? 0;
  const gfp = group ? '0xcc0(GFP_KERNEL)' : '0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)';
  k.kmsg.push(`${asker?.name ?? 'kworker'} invoked oom-killer: gfp_mask=${gfp}, order=0, oom_score_adj=${adj}`);
  if (group) {
    const kb = (pages: number) => (pages === Number.POSITIVE_INFINITY ? 9007199254740988 : pages * 4);
    k.kmsg.push(`memory: usage ${kb(group.usage)}kB, limit ${kb(group.max)}kB, failcnt ${group.failcnt}`);
    k.kmsg.push(`swap: usage ${kb(group.swapUsage)}kB, limit ${kb(group.swapMax)}kB, failcnt ${group.swapFailcnt}`);
  }
  k.kmsg.push('Tasks state (memory values in pages):');
  k.kmsg.push('[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name');
  for (const task of k.tasks) {
    if (!task.alive || (group && !inGroup(task, group))) continue;
    const pid = String(task.pid);
    const cells = [pid.padStart(5), String(task.mm.totalVm).padStart(8), String(task.mm.getRss()).padStart(8)];
    k.kmsg.push(
      `[${pid.padStart(7)}] ${'0'.padStart(5)} ${cells[0]} ${cells[1]} ${cells[2]} ${String(task.mm.tableBytes).padStart(8)} ${String(Math.max(0, task.mm.rss[MM_SWAPENTS])).padStart(8)}         ${String(task.oomScoreAdj).padStart(5)} ${task.name}`,
    );
  }
}

function killedLine(k: Kernel, task: Task, message: string): void {
  const { mm } = task;
  const kb = (member: number) => Math.max(0, mm.rss[member]!) * 4;
  k.kmsg.push(
    `${message}: Killed process ${task.pid} (${task.name}) total-vm:${mm.totalVm * 4}kB, anon-rss:${kb(MM_ANONPAGES)}kB, file-rss:${kb(MM_FILEPAGES)}kB, shmem-rss:${kb(MM_SHMEMPAGES)}kB, UID:0 pgtables:${Math.floor(mm.tableBytes / 1024)}kB oom_score_adj:${task.oomScoreAdj}`,
  );
}

/** __oom_kill_process. */
function oomKillOne(k: Kernel, task: Task, message: string): void {
  k.vmstat.oom_kill++;
  memcgEvent(task.group, 'oom_kill');
  killedLine(k, task, message);
  task.fatalSignal = true;
  task.oomVictim = true;
}

/** oom_kill_process: the chosen, and all of its group where that is set. */
function oomKillProcess(k: Kernel, victim: Task, message: string, limit: MemCgroup | null, kill: Kill): void {
  const members = k.tasks.filter((task) => task.alive && (!limit || inGroup(task, limit)));
  k.oomKills.push(oomKillFacts(k, victim, limit, members));
  k.hooks.oomKill?.();
  const constraint = limit
    ? `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=${pathOf(limit)},task_memcg=${pathOf(victim.group)},task=${victim.name},pid=${victim.pid},uid=0`
    : `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=${pathOf(victim.group)},task=${victim.name},pid=${victim.pid},uid=0`;
  k.kmsg.push(constraint);
  const whole = oomGroupOf(victim.group, limit);
  oomKillOne(k, victim, message);
  kill([victim], whole !== undefined);
  if (!whole) return;
  memcgEvent(whole, 'oom_group_kill');
  k.kmsg.push(`Tasks in ${pathOf(whole)} are going to be killed due to memory.oom.group set`);
  for (const task of [...k.tasks]) {
    if (!task.alive || !inGroup(task, whole) || task.oomScoreAdj === OOM_SCORE_ADJ_MIN) continue;
    oomKillOne(k, task, message);
    if (task !== victim) kill([task], true);
  }
}

/** mem_cgroup_get_oom_group: the highest group with oom.group between the victim and the limit. */
function oomGroupOf(group: MemCgroup, limit: MemCgroup | null): MemCgroup | undefined {
  let found: MemCgroup | undefined;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) {
    if (at.oomGroup) found = at;
    if (at === limit) break;
  }
  return found;
}

const pathOf = (group: MemCgroup): string => (group.isRoot ? '/' : `/${group.name}`);

/** out_of_memory for the machine. @returns false where nobody can be killed. */
export function outOfMemory(k: Kernel, kill: Kill): boolean {
  if (k.current?.fatalSignal) return true;
  const asker = k.current;
  if (k.killsAsker && asker && asker.oomScoreAdj !== OOM_SCORE_ADJ_MIN) {
    headerLines(k, asker, null);
    oomKillProcess(k, asker, 'Out of memory (oom_kill_allocating_task)', null, kill);
    return true;
  }
  if (waitsForVictim(k.tasks)) return true;
  const victim = selectBadProcess(k.tasks, k.totalPages + k.swapTotal);
  headerLines(k, asker, null);
  if (!victim) {
    k.kmsg.push(NOBODY);
    k.kmsg.push('Kernel panic - not syncing: System is deadlocked on memory');
    k.panicked = true;
    if (k.current) k.current.fatalSignal = true;
    return k.current !== null;
  }
  oomKillProcess(k, victim, 'Out of memory', null, kill);
  return true;
}

/** mem_cgroup_out_of_memory. */
export function memCgroupOutOfMemory(k: Kernel, group: MemCgroup, kill: Kill): boolean {
  if (k.current?.fatalSignal) return true;
  const members = k.tasks.filter((task) => task.alive && inGroup(task, group));
  if (waitsForVictim(members)) return true;
  const swap = k.swappiness > 0 ? Math.min(group.swapMax, k.swapTotal) : 0;
  const total = Math.min(group.max + swap, k.totalPages + k.swapTotal);
  const victim = selectBadProcess(members, total);
  headerLines(k, k.current, group);
  if (!victim) {
    k.kmsg.push(NOBODY);
    return false;
  }
  oomKillProcess(k, victim, 'Memory cgroup out of memory', group, kill);
  return true;
}
