/** kernel/cgroup/cgroup.c: the tree of groups, of which only some count what they use themselves. */
import type { MemCgroup } from './mem-cgroup.ts';
import type { PidsCgroup } from './pids-cgroup.ts';

/** Controllers that are modelled, in the kernel's order. */
export const CONTROLLERS = ['memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

export class Cgroup {
  readonly name: string;
  readonly parent: Cgroup | null;
  /** Who counts the memory and the tasks of its processes: its own, or those of the nearest group above with the controller. */
  memcg: MemCgroup;
  pids: PidsCgroup;
  /** cgroup.subtree_control: groups below count that themselves; a group that gives memory to those below may hold no process. */
  readonly subtreeControl = new Set<Controller>();
  readonly children = new Set<Cgroup>();
  /** cgroup.freeze: processes of it and of those below it run no more. */
  freeze = false;

  constructor(name: string, parent: Cgroup | null, memcg: MemCgroup, pids: PidsCgroup) {
    this.name = name;
    this.parent = parent;
    this.memcg = memcg;
    this.pids = pids;
    parent?.children.add(this);
  }

  get hasController(): boolean {
    return this.memcg !== this.parent?.memcg;
  }

  get hasPids(): boolean {
    return this.parent !== null && this.pids !== this.parent.pids;
  }

  get hasChildren(): boolean {
    return this.children.size > 0;
  }

  /** cgroup.controllers: what its parent gives it. */
  get controllers(): readonly Controller[] {
    return CONTROLLERS.filter((name) => this.parent?.subtreeControl.has(name) ?? true);
  }

  /** Of it, or of one above it. */
  get isFrozen(): boolean {
    return this.freeze || (this.parent?.isFrozen ?? false);
  }

  /** Whether it is `group`, or below it. */
  isIn(group: Cgroup): boolean {
    return this === group || (this.parent?.isIn(group) ?? false);
  }

  /** cgroup_migrate_vet_dst: the root may hold processes whatever it gives to those below; pids is a controller of threads, memory of domains. */
  takesProcesses(): boolean {
    return this.parent === null || !this.subtreeControl.has('memory');
  }

  remove(): void {
    this.parent?.children.delete(this);
  }
}
