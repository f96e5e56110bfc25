import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { Addr } from '../../sim/contract/units.ts';
import { FASTBINS, TOP } from './arena-layout.ts';
import { ADDR, FD, SIZE, UNIT_BYTES, UNIT_SHIFT } from './chunk.ts';
import { type Context, MAIN_ARENA, mallocPrinterr } from './context.ts';
import { MAX_FAST_UNITS } from './parameters.ts';
import { MAX_TCACHE_UNITS, TCACHE_SHIFT } from './tcache.ts';
import { type Area, IN_BIN, IN_FASTBIN, IN_TCACHE, IS_TOP, type Walking } from './walk.ts';

/**
 * free() of an address that is no live block: the integrity checks in their order, with the messages of malloc_printerr().
 * A free that the real one does not notice returns, and leaves the model's heap as it is.
 */
export function createFreeStale(context: Context, walking: Walking) {
  const { words, tcache, tcacheChunk, parameters } = context;
  const { ints } = parameters;

  /** The chunk whose bytes hold `unit`, and its area. */
  function find(unit: number): { readonly area: Area; readonly p: number; readonly state: number } | undefined {
    const states = walking.states();
    let found: { area: Area; p: number; state: number } | undefined;
    walking.eachArea((area) => {
      if (unit < area.startUnit || unit >= area.endUnit) return;
      walking.eachChunk(area, states, (p, units, state) => {
        const start = words[p + ADDR]!;
        if (unit >= start && unit < start + units) found = { area, p, state };
      });
    });
    return found;
  }

  return function freeStale(t: number, address: Addr): void {
    if (address === 0) return;
    if (address % UNIT_BYTES !== 0) mallocPrinterr('free(): invalid pointer');
    const unit = address / UNIT_BYTES - 1;
    const found = find(unit);
    // What was a mapped chunk is no longer there to be looked at.
    if (!found) throw new AllocatorAbort('Segmentation fault');
    const { area, p, state } = found;
    const isStart = words[p + ADDR] === unit;
    const units = words[p + SIZE]! >>> UNIT_SHIFT;

    if (isStart && state === IN_TCACHE && tcacheChunk[t] !== 0) {
      for (let q = tcache[(t << TCACHE_SHIFT) + ((units - 2) << 1)]!; q !== 0; q = words[q + FD]!) {
        if (q === p) mallocPrinterr('free(): double free detected in tcache 2');
      }
    }
    if (isStart && state !== IS_TOP && units <= MAX_TCACHE_UNITS) {
      // The key tells of the freeing thread's own cache only: with room in it the chunk is taken a second time.
      if (tcache[(t << TCACHE_SHIFT) + ((units - 2) << 1) + 1]! > 0) return;
      if (units <= ints[MAX_FAST_UNITS]! && (state === IN_FASTBIN || state === IN_TCACHE)) {
        if (words[area.arena + FASTBINS + units - 2] === p) mallocPrinterr('double free or corruption (fasttop)');
        return;
      }
    }
    if (p === words[area.arena + TOP]) {
      // Inside of it, the header that is left is mostly that of a former top: it reaches to the end of the heap.
      const inside = area.arena === MAIN_ARENA ? 'out' : '!prev';
      mallocPrinterr(`double free or corruption (${isStart ? 'top' : inside})`);
    }
    if (state === IN_BIN || !isStart) mallocPrinterr('double free or corruption (!prev)');
  };
}
