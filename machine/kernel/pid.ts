/** kernel/pid.c: the numbers of processes and threads. */

/** Numbers below it are for the kernel once they have come round. */
const RESERVED_PIDS = 300;
/** PID_MAX_DEFAULT, and what kernel.pid_max takes. */
const PID_MAX_DEFAULT = 32768;
const PID_MAX_MIN = RESERVED_PIDS + 1;
export const PID_MAX_LIMIT = 4 * 1024 * 1024;

export const isPidMax = (value: number): boolean => value >= PID_MAX_MIN && value <= PID_MAX_LIMIT;

export class PidNamespace {
  /** kernel.pid_max: numbers are below it. */
  max = PID_MAX_DEFAULT;
  /** idr_next: where the search for the next one begins. */
  next: number;
  private readonly first: number;
  private readonly used = new Set<number>();

  /** Those before `first` are the kernel's own. */
  constructor(first: number) {
    this.first = first;
    this.next = first;
  }

  private isFree = (pid: number): boolean => pid >= this.first && !this.used.has(pid);

  /** idr_alloc_cyclic: the next free number from `from` on. */
  private find(from: number): number | undefined {
    for (let pid = from; pid < this.max; pid++) if (this.isFree(pid)) return pid;
    return undefined;
  }

  private nextFree(): number | undefined {
    const least = this.next > RESERVED_PIDS ? RESERVED_PIDS : 1;
    return this.find(Math.max(this.next, least)) ?? (this.next > least ? this.find(least) : undefined);
  }

  get isFull(): boolean {
    return this.nextFree() === undefined;
  }

  /** alloc_pid: undefined (EAGAIN) where all are taken. */
  alloc(): number | undefined {
    const pid = this.nextFree();
    if (pid === undefined) return undefined;
    this.used.add(pid);
    this.next = pid + 1;
    return pid;
  }

  free(pid: number): void {
    this.used.delete(pid);
  }
}
