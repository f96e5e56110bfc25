import { RANGE_FREE, type RangeVisitor } from '../../sim/contract/allocator.ts';
import { BINS, NEXT_ARENA, NUMBER } from './arena-layout.ts';
import { binIndex, isSmall, NBINS } from './bin-index.ts';
import { INTO_BIN, INTO_UNSORTED, KIND_MASK, LEFT } from './bin-log.ts';
import { ADDR, BK, FD, LG_RECORD_WORDS, SIZE, UNIT_BYTES, UNIT_SHIFT } from './chunk.ts';
import { type Context, MAIN_ARENA } from './context.ts';
import { HEAP_ARENA, type Heaps } from './heap.ts';

const UNSORTED_BIN = 1;

/** What a bin holds, in units; the sizes of an empty one say nothing. */
export interface BinFigures {
  readonly count: number;
  readonly units: number;
  readonly smallest: number;
  readonly largest: number;
}

export type FollowedBins = ReturnType<typeof createFollowedBins>;

/**
 * The chunks in bins as they were when somebody last asked, and what each bin holds: brought up to date from the log of what has
 * happened since, so that a sample costs what has changed, not what is free.
 */
export function createFollowedBins(context: Context, { heaps, heapOf }: Heaps) {
  const { words, chunks, binLog } = context;

  // By record: where it lay, how long it was, and in which bin of which arena, 0 for none.
  let seenUnit = new Int32Array(0);
  let seenUnits = new Int32Array(0);
  let seenBin = new Int32Array(0);
  let marks = new Uint8Array(0);

  // By the arena's number * NBINS and the bin's.
  let counts = new Int32Array(0);
  let sums = new Float64Array(0);

  // Of the unsorted bin, which has no order, by the arena's number, in units. Negative: a chunk of that size has left, and what is left is not
  // beyond it.
  const smallest: number[] = [];
  const largest: number[] = [];
  let freeBytes = 0;

  function makeRoom(): void {
    const records = chunks.wordsUsed() >>> LG_RECORD_WORDS;
    if (records > seenUnit.length) {
      const length = Math.max(records, 2 * seenUnit.length);
      seenUnit = grown(seenUnit, new Int32Array(length));
      seenUnits = grown(seenUnits, new Int32Array(length));
      seenBin = grown(seenBin, new Int32Array(length));
      marks = grown(marks, new Uint8Array(length));
    }
    let arenas = 0;
    eachArena((_arena, number) => (arenas = Math.max(arenas, number + 1)));
    if (arenas * NBINS <= counts.length) return;
    counts = grown(counts, new Int32Array(2 * arenas * NBINS));
    sums = grown(sums, new Float64Array(2 * arenas * NBINS));
  }

  function eachArena(visit: (arena: number, number: number) => void): void {
    let arena = MAIN_ARENA;
    do {
      visit(arena, words[arena + NUMBER]!);
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== MAIN_ARENA);
  }

  const bytesOf = (units: number): number => units * UNIT_BYTES - 8;
  const visitRange = (visit: RangeVisitor, unit: number, units: number): void =>
    visit((unit + 1) * UNIT_BYTES, bytesOf(units), RANGE_FREE, 0);

  function leave(r: number): void {
    const bin = seenBin[r]!;
    const units = seenUnits[r]!;
    counts[bin]!--;
    sums[bin]! -= units;
    freeBytes -= bytesOf(units);
    seenBin[r] = 0;
    if (bin % NBINS !== UNSORTED_BIN) return;
    const arena = Math.floor(bin / NBINS);
    if (units === smallest[arena]) smallest[arena] = -units;
    if (units === largest[arena]) largest[arena] = -units;
  }

  function enter(r: number, bin: number): void {
    const p = r << LG_RECORD_WORDS;
    const units = words[p + SIZE]! >>> UNIT_SHIFT;
    if (bin % NBINS === UNSORTED_BIN) {
      const arena = Math.floor(bin / NBINS);
      const isFirst = counts[bin] === 0;
      if (isFirst || units <= Math.abs(smallest[arena]!)) smallest[arena] = units;
      if (isFirst || units >= Math.abs(largest[arena]!)) largest[arena] = units;
    }
    seenUnit[r] = words[p + ADDR]!;
    seenUnits[r] = units;
    seenBin[r] = bin;
    counts[bin]!++;
    sums[bin]! += units;
    freeBytes += bytesOf(units);
  }

  function binOf(p: number, kind: number): number {
    const units = words[p + SIZE]! >>> UNIT_SHIFT;
    const arena = heaps[heapOf(p) + HEAP_ARENA]! || MAIN_ARENA;
    const bin = kind === INTO_UNSORTED ? UNSORTED_BIN : binIndex(units);
    return words[arena + NUMBER]! * NBINS + bin;
  }

  /** Every chunk anew. */
  function followAll(gone: RangeVisitor, come: RangeVisitor): void {
    for (let r = 0; r < seenBin.length; r++) {
      if (seenBin[r] === 0) continue;
      visitRange(gone, seenUnit[r]!, seenUnits[r]!);
      leave(r);
    }
    const add = (p: number, kind: number): void => {
      const r = p >>> LG_RECORD_WORDS;
      enter(r, binOf(p, kind));
      visitRange(come, seenUnit[r]!, seenUnits[r]!);
    };
    eachArena((arena) => {
      for (let i = 1; i < NBINS; i++) {
        const bin = arena + BINS + 2 * i;
        const kind = i === UNSORTED_BIN ? INTO_UNSORTED : INTO_BIN;
        for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) add(p, kind);
      }
    });
  }

  /** The last entry of a chunk tells where it is; all that leave go first, since records are used again. */
  function followEntries(entries: Int32Array, gone: RangeVisitor, come: RangeVisitor): void {
    const changed: number[] = [];
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      const r = entry >>> LG_RECORD_WORDS;
      if (marks[r] === 0) changed.push(r);
      marks[r] = 1 + (entry & KIND_MASK);
    }
    const isWhereItWas = (r: number): boolean => {
      const p = r << LG_RECORD_WORDS;
      return seenUnit[r] === words[p + ADDR] && seenUnits[r] === words[p + SIZE]! >>> UNIT_SHIFT;
    };
    const entering: number[] = [];
    for (const r of changed) {
      const kind = marks[r]! - 1;
      const wasThere = seenBin[r] !== 0;
      const stays = wasThere && kind !== LEFT && isWhereItWas(r);
      if (wasThere) {
        if (!stays) visitRange(gone, seenUnit[r]!, seenUnits[r]!);
        leave(r);
      }
      if (kind === LEFT) marks[r] = 0;
      else entering.push(stays ? -r : r);
    }
    for (const entry of entering) {
      const r = Math.abs(entry);
      enter(r, binOf(r << LG_RECORD_WORDS, marks[r]! - 1));
      marks[r] = 0;
      if (entry > 0) visitRange(come, seenUnit[r]!, seenUnits[r]!);
    }
  }

  /** The same ranges as a walk over the bins would visit, by their differences to the last call's. */
  function follow(gone: RangeVisitor, come: RangeVisitor): void {
    const entries = binLog.take();
    makeRoom();
    if (entries) followEntries(entries, gone, come);
    else followAll(gone, come);
  }

  /** Of the unsorted bin, where its extremes have left. */
  function measureUnsorted(arena: number, number: number): void {
    const bin = arena + BINS + 2 * UNSORTED_BIN;
    let least = Infinity;
    let most = 0;
    for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) {
      const units = words[p + SIZE]! >>> UNIT_SHIFT;
      least = Math.min(least, units);
      most = Math.max(most, units);
    }
    smallest[number] = least;
    largest[number] = most;
  }

  /** Bin `i` of the arena, as of the last `follow`, after which nothing may have happened. */
  function binFigures(arena: number, i: number): BinFigures {
    const number = words[arena + NUMBER]!;
    const count = counts[number * NBINS + i]!;
    const units = sums[number * NBINS + i]!;
    if (count === 0) return { count, units, smallest: 0, largest: 0 };
    if (i === UNSORTED_BIN) {
      if (smallest[number]! < 0 || largest[number]! < 0) measureUnsorted(arena, number);
      return { count, units, smallest: smallest[number]!, largest: largest[number]! };
    }
    if (isSmall(i)) return { count, units, smallest: i, largest: i };
    const bin = arena + BINS + 2 * i; // largest first
    return {
      count,
      units,
      smallest: words[words[bin + BK]! + SIZE]! >>> UNIT_SHIFT,
      largest: words[words[bin + FD]! + SIZE]! >>> UNIT_SHIFT,
    };
  }

  /** The largest free chunk in a bin, as walks visit it. */
  function largestBytes(): number {
    let most = 0;
    eachArena((arena, number) => {
      for (let i = NBINS - 1; i > 0; i--) {
        if (counts[number * NBINS + i] === 0) continue;
        most = Math.max(most, binFigures(arena, i).largest);
        if (i !== UNSORTED_BIN) i = UNSORTED_BIN + 1;
      }
    });
    return most === 0 ? 0 : bytesOf(most);
  }

  return {
    follow,
    binFigures,
    largestBytes,
    freeBytes: () => freeBytes,
    /** Whether the figures are those of now. */
    isCurrent: () => context.isAlone && binLog.isTaken(),
  };
}

function grown<T extends Int32Array | Float64Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
