import {
  type Allocator,
  type AllocatorStats,
  type AreaVisitor,
  type Handle,
  RANGE_LIVE,
  type RangeVisitor,
  type RequestAllocator,
  type ThreadSlot,
  type WordSink,
} from '../../sim/contract/allocator.ts';
import type { Addr, Bytes, Pages } from '../../sim/contract/units.ts';
import { isOurs } from './layout.ts';

/** A request allocator's own part; it knows its own blocks only. */
export interface UpperLayer {
  readonly name: string;
  readonly malloc: (t: ThreadSlot, size: Bytes) => Handle;
  readonly calloc: (t: ThreadSlot, count: number, size: Bytes) => Handle;
  readonly realloc: (t: ThreadSlot, h: Handle, size: Bytes) => Handle;
  readonly free: (t: ThreadSlot, h: Handle) => void;
  readonly addressOf: (h: Handle) => Addr;
  readonly usableSize: (h: Handle) => Bytes;
  readonly touchBlock: (h: Handle, from: Bytes, to: Bytes) => void;
  /** As in Allocator: the call where it touches nothing but the thread's own heap. */
  readonly mallocLocal: (t: ThreadSlot, size: Bytes) => Handle;
  readonly freeLocal: (t: ThreadSlot, h: Handle) => boolean;
  readonly begin: (t: ThreadSlot) => void;
  readonly end: (t: ThreadSlot) => void;
  /** zend_mm_gc, where there is one. */
  readonly gc?: (t: ThreadSlot) => Bytes;
  /** zend_set_memory_limit, likewise. */
  readonly setMemoryLimit?: (t: ThreadSlot, limit: Pages) => void;
  /** The thread's heap ends: with the thread, or as the engine shuts down. */
  readonly destroy: (t: ThreadSlot) => void;
  readonly stats: () => AllocatorStats;
  readonly walk: (visit: RangeVisitor) => void;
  readonly walkFree?: (visit: RangeVisitor) => void;
  readonly areas: (visit: AreaVisitor) => void;
  /** Live blocks of the layer below that are pieces of this one: its own ranges stand for them. */
  readonly heldBelow: () => ReadonlySet<Handle>;
  /** As in Allocator, without the layer below. */
  readonly decidingState?: (sink: WordSink) => boolean;
  readonly check: () => void;
  readonly notModelled: () => readonly string[];
  readonly inspect: (view: string) => string;
}

/** What the views of a request allocator are asked of. */
export interface Inspectable {
  readonly inspect: (view: string) => string;
}

/**
 * A request allocator above a system allocator, as one allocator: its own blocks and those below in one object table
 * and one walk. With `all`, the malloc family of every thread goes through the upper layer too.
 */
export function layered(upper: UpperLayer, below: Allocator, all: boolean): RequestAllocator & Inspectable {
  function walk(visit: RangeVisitor): void {
    upper.walk(visit);
    const held = upper.heldBelow();
    below.walk((start, length, kind, handle) => {
      if (kind !== RANGE_LIVE || !held.has(handle)) visit(start, length, kind, handle);
    });
  }

  const common = {
    name: upper.name,
    calloc: upper.calloc,
    addressOf: (h: Handle) => (isOurs(h) ? upper.addressOf(h) : below.addressOf(h)),
    usableSize: (h: Handle) => (isOurs(h) ? upper.usableSize(h) : below.usableSize(h)),
    touchBlock: (h: Handle, from: Bytes, to: Bytes): void => {
      if (isOurs(h)) upper.touchBlock(h, from, to);
      else below.touchBlock(h, from, to);
    },
    // Neither posix_memalign nor malloc_trim nor mallopt nor mallctl exists in the layer above.
    memalign: below.memalign,
    trim: below.trim,
    ...(below.forkChild && { forkChild: below.forkChild }),
    mallopt: below.mallopt,
    ...(below.mallctl && { mallctl: below.mallctl }),
    requestBegin: upper.begin,
    requestEnd: upper.end,
    shutdown: upper.destroy,
    ...(upper.gc && { gcMemCaches: upper.gc }),
    ...(upper.setMemoryLimit && { setMemoryLimit: upper.setMemoryLimit }),
    stats: upper.stats,
    ...(below.refreshStats && { refreshStats: below.refreshStats }),
    walk,
    ...walkFree(upper, below),
    areas: (visit: AreaVisitor): void => {
      upper.areas(visit);
      below.areas?.(visit);
    },
    purge: (t: ThreadSlot): void => {
      if (below.purge) below.purge(t);
      else below.trim(t, 0);
    },
    tunables: () => below.tunables?.() ?? {},
    ...(upper.decidingState && { ownDecidingState: upper.decidingState }),
    ...(upper.decidingState &&
      below.decidingState && {
        decidingState: (sink: WordSink, keepsLive?: boolean) =>
          upper.decidingState!(sink) && below.decidingState!(sink, keepsLive),
      }),
    check: (): void => {
      upper.check();
      below.check();
    },
    notModelled: () => [...upper.notModelled(), ...below.notModelled()],
    inspect: upper.inspect,
  };
  const advance = below.advance ? { advance: below.advance } : {};
  if (!all) {
    return {
      ...common,
      ...advance,
      malloc: upper.malloc,
      realloc: upper.realloc,
      free: upper.free,
      threadStart: () => {},
      threadExit: upper.destroy,
    };
  }
  return {
    ...common,
    ...advance,
    malloc: upper.malloc,
    mallocLocal: upper.mallocLocal,
    freeLocal: (t, h) => isOurs(h) && upper.freeLocal(t, h),
    // Aligned blocks come from below, and go back there.
    realloc: (t, h, size) => (isOurs(h) ? upper.realloc(t, h, size) : below.realloc(t, h, size)),
    free: (t, h) => (isOurs(h) ? upper.free(t, h) : below.free(t, h)),
    threadStart: below.threadStart,
    threadExit: (t) => {
      upper.destroy(t);
      below.threadExit(t);
    },
  };
}

function walkFree(upper: UpperLayer, below: Allocator): Pick<Allocator, 'walkFree' | 'followFree'> {
  if (!upper.walkFree || !below.walkFree) return {};
  return {
    walkFree(visit) {
      upper.walkFree!(visit);
      below.walkFree!(visit);
    },
    ...(below.followFree && {
      followFree(visitors) {
        upper.walkFree!(visitors.rest);
        return below.followFree!(visitors);
      },
    }),
  };
}

/** USE_ZEND_ALLOC=0: every call goes straight to the system allocator; of the request layer only its numbers remain. */
export function passedThrough(name: string, below: Allocator, stats: () => AllocatorStats): Allocator & Inspectable {
  return {
    ...below,
    name,
    stats,
    notModelled: below.notModelled,
    inspect: () => 'The Zend memory manager is switched off (USE_ZEND_ALLOC=0).\n',
  };
}
