import type { ThreadSlot } from './thread-slot.ts';

export type LockId = number & { readonly __unit?: 'lock' };

/**
 * Locks as a model uses them: where and as the real code takes them. One implementation is chosen for each run, so
 * every call site sees one shape. Lockstep has no contention (`uncontendedLocks`); virtual time (virtual-locks.ts) and
 * real workers (atomic-locks.ts) measure it.
 */
export interface Locks {
  /**
   * A lock named as in the real source (`main_arena.mutex`, `list_lock`), created in the same order in every worker of a
   * run. `kind` says how a waiter waits: a futex at once (glibc's low-level lock), spinning first (jemalloc's mutex), or
   * in the kernel: mmap_lock, a semaphore, and spin locks.
   */
  create(name: string, kind: LockKind): LockId;
  acquire(t: ThreadSlot, id: LockId): void;
  tryAcquire(t: ThreadSlot, id: LockId): boolean;
  release(t: ThreadSlot, id: LockId): void;
  /**
   * An atomic operation without the lock on the line that it lies in: the thread puts something where those who have the lock find it.
   * And one who has it takes `count` of those things, each with a line of its own.
   */
  push(t: ThreadSlot, id: LockId): void;
  pull(t: ThreadSlot, id: LockId, count: number): void;
  /** As a reader: mmap_lock for madvise, which other readers do not keep waiting. */
  acquireShared(t: ThreadSlot, id: LockId): void;
  releaseShared(t: ThreadSlot, id: LockId): void;
  /** Who has mmap_lock goes on as a reader until it releases it (mmap_write_downgrade()). */
  downgrade(t: ThreadSlot, id: LockId): void;
}
export type LockKind = 'futex' | 'spin-then-futex' | 'kernel' | 'kernel-spin';

/** For one event at a time: nobody ever waits. */
export function uncontendedLocks(): Locks {
  let count = 0;
  return {
    create: () => count++,
    acquire: () => {},
    tryAcquire: () => true,
    release: () => {},
    push: () => {},
    pull: () => {},
    acquireShared: () => {},
    releaseShared: () => {},
    downgrade: () => {},
  };
}
