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

  return { init, refresh };
}
