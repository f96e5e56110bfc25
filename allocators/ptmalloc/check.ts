import { assert } from '../../sim/contract/assert.ts';
import {
  ATTACHED_THREADS,
  BINMAP,
  BINS,
  CHUNK_FLAGS,
  FASTBINS,
  NEXT_FREE,
  NUMBER,
  SYSTEM_PAGES,
  TOP,
} from './arena-layout.ts';
import { binIndex, isSmall, NBINS, NFASTBINS } from './bin-index.ts';
import {
  ADDR,
  BK,
  BK_NEXTSIZE,
  FD,
  FD_NEXTSIZE,
  INUSE,
  MIN_UNITS,
  MMAPPED_SIZE,
  NEXT,
  NON_MAIN,
  PAGE_UNIT_SHIFT,
  PREV,
  SIZE,
  UNIT_SHIFT,
} from './chunk.ts';
import { type Context, MAIN_ARENA, MAPPED_LIST } from './context.ts';
import { HEAP_ARENA, HEAP_PAGES, HEAP_PREV, type Heaps } from './heap.ts';
import type { Mapped } from './mapped.ts';
import { FREE_LIST, MAX_FAST_UNITS, MMAPPED_MEM, N_MMAPS, TCACHE_BINS, TCACHE_COUNT } from './parameters.ts';
import { TCACHE_MAX_BINS, TCACHE_SHIFT } from './tcache.ts';
import { type Area, type ChunkStates, IN_BIN, IN_TCACHE, IS_FENCEPOST, IS_TOP, type Walking } from './walk.ts';

/**
 * The checks that malloc.c compiles under MALLOC_DEBUG (do_check_chunk and its family, do_check_malloc_state), and sums:
 * chunks tile their areas, areas add up to system_mem, lists hold exactly the chunks that say they are free.
 */
export function createCheck(context: Context, heapsApi: Heaps, mapped: Mapped, walking: Walking): () => void {
  const { words, machine, parameters, tcache, tcacheChunk, threadArena } = context;
  const { ints, doubles } = parameters;
  const { kernel } = machine;
  const { heaps, heapOf } = heapsApi;
  const unitsOf = (p: number): number => words[p + SIZE]! >>> UNIT_SHIFT;
  const place = (p: number): string => `chunk at unit 0x${words[p + ADDR]!.toString(16)}`;

  /** do_check_free_chunk() */
  function checkFreeChunk(p: number): void {
    assert((words[p + SIZE]! & ((1 << UNIT_SHIFT) - 1)) === 0, `free ${place(p)} has flags`);
    assert(unitsOf(p) >= MIN_UNITS, `free ${place(p)} is too small`);
    const prev = words[p + PREV]!;
    assert(prev === 0 || (words[prev + SIZE]! & INUSE) !== 0, `free ${place(p)} follows a free one`);
    const next = words[p + NEXT]!;
    assert(next !== 0 && (words[next + SIZE]! & INUSE) !== 0, `free ${place(p)} is not followed by one in use`);
    assert(words[words[p + FD]! + BK] === p && words[words[p + BK]! + FD] === p, `links of free ${place(p)}`);
  }

  /** The list of sizes of a large bin: each chunk in it is the first of its size; it is circular, largest first. */
  function checkSizeList(bin: number): void {
    const first = words[bin + FD]!;
    if (first === bin) return;
    let size = Infinity;
    let expected = first; // next chunk of the bin that must be in the list of sizes
    let heads = 0;
    for (let p = first; p !== bin; p = words[p + FD]!) {
      if (unitsOf(p) === size) {
        assert(words[p + FD_NEXTSIZE] === 0, `second ${place(p)} of its size is in the list of sizes`);
        continue;
      }
      assert(unitsOf(p) < size, `large bin is not sorted at ${place(p)}`);
      assert(p === expected, `list of sizes leaves out ${place(p)}`);
      size = unitsOf(p);
      expected = words[p + FD_NEXTSIZE]!;
      assert(expected !== 0 && words[expected + BK_NEXTSIZE] === p, `nextsize links of ${place(p)}`);
      heads++;
    }
    assert(heads > 0 && expected === first, `list of sizes does not close at ${place(first)}`);
  }

  /** do_check_malloc_state(): lists of an arena; returns what is in its bins. */
  function checkBins(arena: number): Set<number> {
    const binned = new Set<number>();
    for (let i = 1; i < NBINS; i++) {
      const bin = arena + BINS + 2 * i;
      let before = bin;
      for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) {
        assert(words[p + BK] === before, `back link of ${place(p)} in bin ${i}`);
        assert(!binned.has(p), `${place(p)} is in two bins`);
        binned.add(p);
        checkFreeChunk(p);
        if (i > 1) assert(binIndex(unitsOf(p)) === i, `${place(p)} is in bin ${i}`);
        else if (!isSmall(unitsOf(p))) {
          assert(
            words[p + FD_NEXTSIZE] === 0 && words[p + BK_NEXTSIZE] === 0,
            `unsorted ${place(p)} has nextsize links`,
          );
        }
        before = p;
      }
      assert(words[bin + BK] === before, `end of bin ${i} of arena ${words[arena + NUMBER]}`);
      const marked = (words[arena + BINMAP + (i >> 5)]! & (1 << i)) !== 0;
      if (i > 1) assert(marked || before === bin, `binmap says that bin ${i} is empty`);
      if (i > 1 && words[bin + FD] !== bin && !isSmall(unitsOf(words[bin + FD]!))) checkSizeList(bin);
    }
    for (let i = 0; i < NFASTBINS; i++) {
      const first = words[arena + FASTBINS + i]!;
      if (arena === MAIN_ARENA)
        assert(first === 0 || i + 2 <= ints[MAX_FAST_UNITS]!, `fastbin ${i} is beyond the largest`);
      for (let p = first; p !== 0; p = words[p + FD]!) {
        assert(unitsOf(p) === i + 2 && (words[p + SIZE]! & INUSE) !== 0, `${place(p)} in fastbin ${i}`);
      }
    }
    return binned;
  }

  function checkArea(area: Area, states: ChunkStates, binned: Set<number>): void {
    let unit = words[area.first + ADDR]!;
    let prev = 0;
    walking.eachChunk(area, states, (p, units, state) => {
      assert(
        words[p + ADDR] === unit,
        `${place(p)} does not start where the one before ends (unit 0x${unit.toString(16)})`,
      );
      assert(words[p + PREV] === prev, `physical back link of ${place(p)}`);
      assert(units >= MIN_UNITS, `${place(p)} is too small`);
      if (state === IN_BIN) {
        assert(binned.delete(p), `free ${place(p)} is in no bin`);
      } else if (state === IS_TOP) {
        assert(words[p + NEXT] === 0, `top ${place(p)} is not the last`);
        assert(prev === 0 || (words[prev + SIZE]! & INUSE) !== 0, `${place(prev)} before the top is free`);
        assert(((unit + units) & 255) === 0, `top ${place(p)} does not end at a page boundary`);
      } else if (state !== IS_FENCEPOST) {
        assert((words[p + SIZE]! & INUSE) !== 0, `${place(p)} should be in use`);
        const flag = words[area.arena + CHUNK_FLAGS]!;
        assert((words[p + SIZE]! & NON_MAIN) === flag, `arena flag of ${place(p)}`);
      }
      unit += units;
      prev = p;
    });
    assert(unit === area.endUnit, `${area.name} does not end with its last chunk`);
    assert(
      kernel.vmas.covered(area.startUnit >> PAGE_UNIT_SHIFT, area.endUnit >>> PAGE_UNIT_SHIFT),
      `${area.name} is not mapped`,
    );
  }

  function checkCaches(states: ChunkStates): void {
    let listed = 0;
    for (let t = 0; t < tcacheChunk.length; t++) {
      for (let bin = 0; bin < TCACHE_MAX_BINS; bin++) {
        const at = (t << TCACHE_SHIFT) + 2 * bin;
        let count = 0;
        for (let p = tcache[at]!; p !== 0; p = words[p + FD]!) {
          assert(unitsOf(p) === bin + 2 && (words[p + SIZE]! & INUSE) !== 0, `${place(p)} in tcache bin ${bin}`);
          count++;
        }
        const room = tcacheChunk[t] !== 0 && bin < ints[TCACHE_BINS]! ? ints[TCACHE_COUNT]! - count : 0;
        assert(tcache[at + 1] === room, `room in tcache bin ${bin} of thread ${t}`);
        listed += count;
      }
    }
    let cached = 0;
    for (const state of states) if (state === IN_TCACHE) cached++;
    assert(cached === listed, 'a chunk is in two thread caches');
  }

  function checkMapped(): void {
    let count = 0;
    let pages = 0;
    let prev = 0;
    for (let p = words[MAPPED_LIST]!; p !== 0; p = words[p + NEXT]!) {
      assert(words[p + SIZE] === MMAPPED_SIZE && words[p + PREV] === prev, `mapped ${place(p)}`);
      const start = mapped.firstPage(p);
      assert(Number.isInteger(start), `mapping of ${place(p)} is not page-aligned`);
      assert(kernel.vmas.covered(start, start + mapped.pageCount(p)), `mapped ${place(p)} is not mapped`);
      count++;
      pages += mapped.pageCount(p);
      prev = p;
    }
    assert(count === ints[N_MMAPS] && pages * 4096 === doubles[MMAPPED_MEM], 'mapped chunks do not add up');
  }

  function checkThreads(): void {
    const attached = new Map<number, number>();
    for (const arena of threadArena) if (arena !== 0) attached.set(arena, (attached.get(arena) ?? 0) + 1);
    walking.eachArena((arena) => {
      assert(
        words[arena + ATTACHED_THREADS] === (attached.get(arena) ?? 0),
        `threads of arena ${words[arena + NUMBER]}`,
      );
    });
    for (let arena = ints[FREE_LIST]!; arena !== 0; arena = words[arena + NEXT_FREE]!) {
      assert(words[arena + ATTACHED_THREADS] === 0, `arena ${words[arena + NUMBER]} on the free list has threads`);
    }
  }

  return function check(): void {
    const states = walking.states();
    const binned = new Map<number, Set<number>>();
    const pages = new Map<number, number>();
    walking.eachArena((arena) => binned.set(arena, checkBins(arena)));
    walking.eachArea((area) => {
      assert(binned.has(area.arena), `${area.name} belongs to no arena`);
      checkArea(area, states, binned.get(area.arena)!);
      const length = (area.endUnit - area.startUnit) >> PAGE_UNIT_SHIFT;
      pages.set(area.arena, (pages.get(area.arena) ?? 0) + length);
      if (area.heap !== 0) {
        assert(heaps[area.heap + HEAP_PAGES] === length, `${area.name} has the wrong length`);
        const prev = heaps[area.heap + HEAP_PREV]!;
        assert(prev === 0 || heaps[prev + HEAP_ARENA] === area.arena, `${area.name} follows a heap of another arena`);
      }
    });
    for (const [arena, left] of binned) {
      const name = `arena ${words[arena + NUMBER]}`;
      assert(left.size === 0, `${name} has chunks in bins that are in none of its heaps`);
      assert((pages.get(arena) ?? 0) === words[arena + SYSTEM_PAGES], `${name} does not add up to its system_mem`);
      const top = words[arena + TOP]!;
      if (arena !== MAIN_ARENA)
        assert(heaps[heapOf(top) + HEAP_ARENA] === arena, `top of ${name} is in another's heap`);
    }
    for (const p of tcacheChunk) assert(p === 0 || (words[p + SIZE]! & INUSE) !== 0, `tcache ${place(p)} is free`);
    checkCaches(states);
    checkMapped();
    checkThreads();
  };
}
