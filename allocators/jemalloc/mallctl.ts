import type { Arenas } from './arena.ts';
import type { Base } from './base.ts';
import { CTL_ARENA_BYTES, CTL_ARENAS_BYTES, CTL_STATS_BYTES } from './layout.ts';
import { QUANTUM } from './size-classes.ts';
import { A_CTL_TOUCHED, AC_CTL, ARENA_COUNTERS, ARENA_WORDS, G_CTL_INITIALIZED, type State } from './state.ts';

export type Mallctl = ReturnType<typeof createMallctl>;

/** Of ctl_arena_t; the rest of a table is written when its arena is first reported. */
const CTL_ARENA_HEADER = 88;

/**
 * The tables behind mallctl (ctl.c). The first call allocates them from arena 0's base; each refresh writes those of the
 * arenas that exist. So whoever looks at the statistics adds to them.
 */
export function createMallctl(state: State, base: Base, arenas: Arenas) {
  const { arenaCounters, config, globals } = state;

  function table(): number {
    const address = base.alloc(0, 0, CTL_ARENA_BYTES, QUANTUM);
    base.touch(address, address + CTL_ARENA_HEADER);
    return address;
  }

  /** ctl_init */
  function init(): void {
    const all = base.alloc(0, 0, CTL_ARENAS_BYTES, QUANTUM);
    base.touch(all, all + 32 + 8 * (config.arenaSlots + 2));
    const stats = base.alloc(0, 0, CTL_STATS_BYTES, QUANTUM);
    base.touch(stats, stats + CTL_STATS_BYTES);
    for (let i = 0; i < 2; i++) {
      const merged = table(); // of all arenas, and of the destroyed ones
      base.touch(merged, merged + CTL_ARENA_BYTES);
    }
    for (let a = 0; a < config.arenaSlots; a++) arenaCounters[a * ARENA_COUNTERS + AC_CTL] = table();
    globals[G_CTL_INITIALIZED] = 1;
    refresh();
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

  return { init, refresh };
}
