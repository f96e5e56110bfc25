/** kernel/cgroup/pids.c: how many tasks a group may have. */
import { PID_MAX_LIMIT } from './pid.ts';

/** A group's tasks, its own and those below, where its parent gives it the controller. The root counts none. */
export class PidsCgroup {
  readonly name: string;
  readonly parent: PidsCgroup | null;
  counter = 0;
  max = Number.POSITIVE_INFINITY;
  watermark = 0;
  /** Forks from the group that were refused, here or above. */
  eventsMax = 0;

  constructor(name: string, parent: PidsCgroup | null) {
    this.name = name;
    this.parent = parent;
  }

  /** The group and those above, without the root. */
  private *upwards(): Generator<PidsCgroup> {
    for (let at: PidsCgroup = this; at.parent; at = at.parent) yield at;
  }

  /** pids_try_charge: one more, as long as that is within the limits of all. Those that it passed remember their peak. */
  private tryCharge(): boolean {
    for (const at of this.upwards()) {
      if (at.counter + 1 > at.max) return false;
      at.watermark = Math.max(at.watermark, at.counter + 1);
    }
    this.charge(1);
    return true;
  }

  /** pids_can_fork. @returns whether it may; the first refusal is told to `log`. */
  canFork(log: string[]): boolean {
    if (this.tryCharge()) return true;
    if (++this.eventsMax === 1) log.push(`cgroup: fork rejected by pids controller in /${this.name}`);
    return false;
  }

  /** pids_charge: tasks that are moved here come whatever the limit is. */
  charge(tasks: number): void {
    for (const at of this.upwards()) {
      at.counter += tasks;
      at.watermark = Math.max(at.watermark, at.counter);
    }
  }

  uncharge(tasks: number): void {
    for (const at of this.upwards()) at.counter -= tasks;
  }
}

/** pids_max_write. @returns the limit, or undefined where it takes no such (EINVAL). */
export function pidsMaxOf(text: string): number | undefined {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const limit = /^-?\d+$/.test(text) ? Number(text) : -1;
  return limit >= 0 && limit <= PID_MAX_LIMIT ? limit : undefined;
}
