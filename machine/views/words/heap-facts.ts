import type { AreaKind } from '../../../sim/contract/allocator.ts';
import { RANGE_LIVE, RANGE_METADATA } from '../../../sim/contract/allocator.ts';
import type { Heap } from '../../heap/heap.ts';

const PAGE = 4096;

/** What an allocator holds in a process that runs a workload; bytes. */
export interface HeapFacts {
  readonly allocator: string;
  /** Usable bytes of live blocks. */
  readonly liveBytes: number;
  /** Resident pages of the allocator's. */
  readonly residentBytes: number;
  /** Of these, on pages that hold nothing live and nothing of the allocator's own. */
  readonly freeBytes: number;
  readonly main: MainHeapFacts | undefined;
  readonly arenas: ArenaFacts;
}

/** The heap behind the break. */
export interface MainHeapFacts {
  /** From its start to the break. */
  readonly sizeBytes: number;
  /** Resident free pages above the last live byte: what a trim of the top could give back. */
  readonly topFreeBytes: number;
  /** Resident free pages below it, and the longest stretch of them. */
  readonly belowFreeBytes: number;
  readonly longestFreeBytes: number;
  /** Live bytes above that stretch: what pins it. */
  readonly pinningBytes: number;
}

/** Arenas beside the main one, each a heap of its own. */
export interface ArenaFacts {
  readonly count: number;
  readonly residentBytes: number;
  readonly freeBytes: number;
  readonly liveBytes: number;
  /** Arenas, fullest first, that hold nine tenths of the live bytes. */
  readonly holdingMost: number;
}

interface Area {
  readonly start: number;
  readonly length: number;
  readonly name: string;
  readonly kind: AreaKind;
}

/** A stretch that is in use: a live block, or the allocator's own. */
interface Used {
  readonly start: number;
  readonly end: number;
  readonly live: boolean;
}

interface AreaFacts extends Area {
  residentBytes: number;
  freeBytes: number;
  liveBytes: number;
  topFreeBytes: number;
  longestFreeBytes: number;
  pinningBytes: number;
}

export function heapFactsOf(heap: Heap): HeapFacts {
  const { top, machine } = heap.parts;
  const { residency } = machine.kernel;
  const areas: Area[] = [];
  top.areas?.((start, length, name, kind) => areas.push({ start, length, name, kind }));
  areas.sort((a, b) => a.start - b.start);
  const used: Used[] = [];
  let liveBytes = 0;
  top.walk((start, length, kind) => {
    if (kind === RANGE_LIVE) liveBytes += length;
    if (kind === RANGE_LIVE || kind === RANGE_METADATA) {
      used.push({ start, end: start + length, live: kind === RANGE_LIVE });
    }
  });
  used.sort((a, b) => a.start - b.start);
  let at = 0;
  const facts = areas.map((area) => {
    while (at < used.length && used[at]!.end <= area.start) at++;
    let to = at;
    while (to < used.length && used[to]!.start < area.start + area.length) to++;
    return factsOf(area, used.slice(at, to), (first, end) => residency.residentIn(first, end) * PAGE);
  });
  const sum = (of: (area: AreaFacts) => number) => facts.reduce((total, area) => total + of(area), 0);
  return {
    allocator: heap.program.allocator,
    liveBytes,
    residentBytes: sum((area) => area.residentBytes),
    freeBytes: sum((area) => area.freeBytes),
    main: mainOf(facts),
    arenas: arenasOf(facts),
  };
}

/** Whole pages between used stretches, and what of them is resident. */
function factsOf(area: Area, used: readonly Used[], residentIn: (first: number, end: number) => number): AreaFacts {
  const end = area.start + area.length;
  const facts: AreaFacts = {
    ...area,
    residentBytes: residentIn(Math.floor(area.start / PAGE), Math.ceil(end / PAGE)),
    freeBytes: 0,
    liveBytes: 0,
    topFreeBytes: 0,
    longestFreeBytes: 0,
    pinningBytes: 0,
  };
  let from = area.start;
  const gap = (to: number, isTop: boolean) => {
    const first = Math.ceil(from / PAGE);
    const last = Math.floor(to / PAGE);
    const bytes = last > first ? residentIn(first, last) : 0;
    facts.freeBytes += bytes;
    if (isTop) facts.topFreeBytes = bytes;
    else if (bytes > facts.longestFreeBytes) {
      facts.longestFreeBytes = bytes;
      facts.pinningBytes = 0;
    }
  };
  for (const { start, end: usedEnd, live } of used) {
    gap(Math.max(from, start), false);
    if (live) {
      facts.liveBytes += usedEnd - start;
      facts.pinningBytes += usedEnd - start;
    }
    from = Math.max(from, usedEnd);
  }
  gap(Math.max(from, end), true);
  return facts;
}

function mainOf(areas: readonly AreaFacts[]): MainHeapFacts | undefined {
  const main = areas.find(({ name }) => name === 'main heap');
  if (!main) return undefined;
  return {
    sizeBytes: main.length,
    topFreeBytes: main.topFreeBytes,
    belowFreeBytes: main.freeBytes - main.topFreeBytes,
    longestFreeBytes: main.longestFreeBytes,
    pinningBytes: main.pinningBytes,
  };
}

/** Heaps of glibc's further arenas: 'arena 2, heap 1'. */
function arenasOf(areas: readonly AreaFacts[]): ArenaFacts {
  const arenas = new Map<string, { resident: number; free: number; live: number }>();
  for (const area of areas) {
    const name = area.kind === 'heap' ? /^arena [^,]+/.exec(area.name)?.[0] : undefined;
    if (name === undefined) continue;
    const own = arenas.get(name) ?? { resident: 0, free: 0, live: 0 };
    own.resident += area.residentBytes;
    own.free += area.freeBytes;
    own.live += area.liveBytes;
    arenas.set(name, own);
  }
  const all = [...arenas.values()].sort((a, b) => b.live - a.live);
  const sum = (of: (arena: (typeof all)[number]) => number) => all.reduce((total, arena) => total + of(arena), 0);
  const live = sum((arena) => arena.live);
  let held = 0;
  let holdingMost = 0;
  while (holdingMost < all.length && held < 0.9 * live) held += all[holdingMost++]!.live;
  return {
    count: all.length,
    residentBytes: sum((arena) => arena.resident),
    freeBytes: sum((arena) => arena.free),
    liveBytes: live,
    holdingMost,
  };
}
