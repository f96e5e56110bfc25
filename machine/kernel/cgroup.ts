/** kernel/cgroup/cgroup.c: the tree of groups, of which only some count memory themselves. */
import type { MemCgroup } from './mem-cgroup.ts';

export class Cgroup {
  readonly name: string;
  readonly parent: Cgroup | null;
  /** Who counts the memory of its processes: its own, or that of the nearest group above with the controller. */
  readonly memcg: MemCgroup;
  /** cgroup.subtree_control holds memory: groups below count theirs themselves, and it may hold no process. */
  readonly isParent: boolean;
  private readonly children = new Set<Cgroup>();

  constructor(name: string, parent: Cgroup | null, memcg: MemCgroup, isParent: boolean) {
    this.name = name;
    this.parent = parent;
    this.memcg = memcg;
    this.isParent = isParent;
    parent?.children.add(this);
  }

  get hasController(): boolean {
    return this.memcg !== this.parent?.memcg;
  }

  get hasChildren(): boolean {
    return this.children.size > 0;
  }

  /** cgroup_migrate_vet_dst: the root may hold processes whatever it gives to those below. */
  takesProcesses(): boolean {
    return this.parent === null || !this.isParent;
  }

  remove(): void {
    this.parent?.children.delete(this);
  }
}
