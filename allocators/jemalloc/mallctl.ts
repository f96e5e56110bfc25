import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { ARENAS_ALL, type Mallctl as MallctlCall } from '../../sim/contract/mallctl.ts';
import type { Arenas } from './arena.ts';
import type { BackgroundThreads } from './background-thread.ts';
import type { Base } from './base.ts';
import { CTL_ARENA_BYTES, CTL_ARENAS_BYTES, CTL_STATS_BYTES } from './layout.ts';
import type { PageAllocator } from './page-allocator.ts';
import { QUANTUM } from './size-classes.ts';
import {
  A_CTL_TOUCHED,
  AC_CTL,
  ARENA_COUNTERS,
  ARENA_WORDS,
  G_CTL_INITIALIZED,
  G_NARENAS_TOTAL,
  STATE_DIRTY,
  STATE_MUZZY,
  type State,
} from './state.ts';

export type Mallctl = ReturnType<typeof createMallctl>;

/** What is made of threads' caches here. */
interface ThreadCaches {
  readonly hasCache: (t: ThreadSlot) => boolean;
  readonly flushAll: (t: ThreadSlot) => void;
}

/** Of ctl_arena_t; the rest of a table is written when its arena is first reported. */
const CTL_ARENA_HEADER = 88;

/**
 * mallctl (ctl.c), and the tables behind it. The first call allocates them from arena 0's base; each refresh writes those of the
 * arenas that exist. So whoever looks at the statistics adds to them.
 */
export function createMallctl(
  state: State,
  base: Base,
  arenas: Arenas,
  pa: PageAllocator,
  background: BackgroundThreads,
  caches: ThreadCaches,
) {
  const { arenaCounters, config, globals } = state;

  /** Allocates a table and writes its first bytes; 0 when out of memory. */
  function table(bytes: number, written: number): number {
    const address = base.alloc(0, 0, bytes, QUANTUM);
    if (address !== 0) base.touch(address, address + written);
    return address;
  }

  /** ctl_init: false when out of memory. */
  function init(): boolean {
    const arenaPointers = 32 + 8 * (config.arenaSlots + 2);
    if (table(CTL_ARENAS_BYTES, arenaPointers) === 0 || table(CTL_STATS_BYTES, CTL_STATS_BYTES) === 0) return false;
    // One for all arenas together, one for those that were destroyed.
    for (let i = 0; i < 2; i++) if (table(CTL_ARENA_BYTES, CTL_ARENA_BYTES) === 0) return false;
    for (let a = 0; a < config.arenaSlots; a++) {
      const address = table(CTL_ARENA_BYTES, CTL_ARENA_HEADER);
      if (address === 0) return false;
      arenaCounters[a * ARENA_COUNTERS + AC_CTL] = address;
    }
    globals[G_CTL_INITIALIZED] = 1;
    refresh();
    return true;
  }

  /** ctl_refresh */
  function refresh(): void {
    if (globals[G_CTL_INITIALIZED] === 0) return;
    for (let a = 0; a < config.arenaSlots; a++) {
      if (!arenas.isInitialized(a) || state.arenas[a * ARENA_WORDS + A_CTL_TOUCHED] !== 0) continue;
      const address = arenaCounters[a * ARENA_COUNTERS + AC_CTL]!;
      base.touch(address, address + CTL_ARENA_BYTES);
      state.arenas[a * ARENA_WORDS + A_CTL_TOUCHED] = 1;
    }
  }

  /** arena_i_decay: one arena's unused pages, or those of all; `all`: whatever their age. */
  function decay(t: ThreadSlot, arena: number, all: boolean): void {
    const total = globals[G_NARENAS_TOTAL]!;
    const isEach = arena === ARENAS_ALL || arena === total;
    for (let a = isEach ? 0 : arena; a < (isEach ? total : Math.min(arena + 1, total)); a++) {
      if (arenas.isInitialized(a)) arenas.decayNow(t, a, false, all);
    }
  }

  /** arena_i_decay_ms_ctl_impl */
  function setDecayMs(t: ThreadSlot, arena: number, which: number, timeMs: number): void {
    if (arena >= globals[G_NARENAS_TOTAL]! || !arenas.isInitialized(arena)) return;
    if (arena === config.hugeArena && timeMs > 0) background.createFor(t, arena);
    pa.setDecayMs(t, arena, which, timeMs, background.eagerness());
  }

  /** thread_tcache_flush_ctl */
  function flushCache(t: ThreadSlot): void {
    if (caches.hasCache(t)) caches.flushAll(t);
  }

  /** je_mallctl */
  function call(t: ThreadSlot, { name, arena, value }: MallctlCall): void {
    switch (name) {
      case 'arena.<i>.purge':
      case 'arena.<i>.decay':
        decay(t, arena, name === 'arena.<i>.purge');
        break;
      case 'arena.<i>.dirty_decay_ms':
      case 'arena.<i>.muzzy_decay_ms':
        setDecayMs(t, arena, name === 'arena.<i>.dirty_decay_ms' ? STATE_DIRTY : STATE_MUZZY, value);
        break;
      case 'arenas.dirty_decay_ms':
        state.decayDefaults[0] = value;
        break;
      case 'arenas.muzzy_decay_ms':
        state.decayDefaults[1] = value;
        break;
      case 'background_thread':
        background.setEnabled(t, value !== 0);
        break;
      case 'max_background_threads':
        background.setMaximum(t, value);
        break;
      case 'thread.tcache.flush':
        flushCache(t);
    }
  }

  return { init, refresh, call, decay, flushCache };
}
