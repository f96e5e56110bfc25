import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../../sim/contract/units.ts';
import { hasCallSites } from '../heap/by-site.ts';
import { EIGHTHS, eighthOf, type Floors, isGrowing, quartersOf } from './floors.ts';
import { createChooser } from './part-chooser.ts';
import { createPieces } from './pieces.ts';

/** Blocks of one line of code or of about one size, of which ever more live while others may be bounded. */
export interface GrowingPart {
  /** Where they are allocated; null for a trace without call sites. */
  readonly line: string | null;
  /** Without call sites: the least and the largest requested size; null for blocks that realloc made grow. */
  readonly sizes: readonly [Bytes, Bytes] | null;
  /** What it grew by and still holds; of the first and the last quarter no more than of those between: what was there at first, and what is about to be freed, is no growth. */
  readonly bytes: Bytes;
  /** Live blocks. */
  readonly blocks: number;
  /** Allocations and reallocs that it grew by, behind the first quarter. */
  readonly steps: number;
  /** Of the blocks those that realloc made larger, where they are most of the bytes; else 0. */
  readonly grownByRealloc: number;
  /** Next to nothing of it came in the last quarter of the recorded time. */
  readonly hasStopped: boolean;
  /** As those of the whole (Growth). */
  readonly floors: Floors;
}

/** Blocks by when they came: in each quarter of the events; in the first half, the third and the last quarter of the time. */
const SPANS = 3;
const COHORTS = 4 * SPANS;
/** What grows to the end of the time has so much of it of the second half; what is loaded at first and then kept has not. */
const LATE = 1 / 8;
/** What has less than this share of it of the last quarter had stopped growing. */
const LAST = 1 / 32;
/** Fewer steps a quarter are no row; blocks of about one size may be anybody's, and fewer of them come and go by chance. */
const FEW = 4;
const FEW_OF_A_SIZE = 32;

/** What a program freed. */
export interface Freed {
  readonly blocks: number;
  readonly bytes: Bytes;
}

/** What is known of a part while it is followed. */
interface Part {
  readonly line: string | null;
  readonly sizes: readonly [Bytes, Bytes] | null;
  sum: Bytes;
  blocks: number;
  /** Of these, what realloc made larger. */
  grownBytes: Bytes;
  grownBlocks: number;
  /** Least sum in each eighth of the events. */
  readonly floors: Float64Array;
  /** Live bytes, and the steps that they came in, by when. */
  readonly stayed: Float64Array;
  readonly steps: Float64Array;
}

/** Follows the blocks of each part up to the row `lives`. Every event comes here. */
export function watchParts(events: EventBuffer, lives: number, wholeNs: Ns) {
  const parts: Part[] = [];
  const chooser = createChooser(events, (line, sizes) => {
    const cohorts = () => new Float64Array(COHORTS);
    const begun = { sum: 0, blocks: 0, grownBytes: 0, grownBlocks: 0, floors: new Float64Array(EIGHTHS) };
    return parts.push({ line, sizes, ...begun, stayed: cohorts(), steps: cohorts() }) - 1;
  });
  const partOf = new Int32Array(events.objectSlots);
  const cohortOf = new Uint8Array(events.objectSlots);
  const pieces = createPieces(events.objectSlots, COHORTS);
  const eighthRows = eighthOf(lives);
  const spanEnds: readonly Ns[] = [wholeNs / 2, wholeNs * 0.75, Infinity];
  let eighth = 0;
  let cohort = 0;
  /** Where the next eighth and the next span begin. */
  let nextRow = 0;
  let nextNs = 0;
  const freed = { blocks: 0, bytes: 0 };

  function reach(row: number, ns: Ns): void {
    while (eighth < EIGHTHS - 1 && row >= (eighth + 1) * eighthRows) {
      eighth++;
      for (const part of parts) part.floors[eighth] = part.sum;
    }
    nextRow = eighth < EIGHTHS - 1 ? (eighth + 1) * eighthRows : Infinity;
    const span = spanEnds.findIndex((end) => ns < end);
    nextNs = spanEnds[span]!;
    cohort = (eighth >> 1) * SPANS + span;
  }

  function lowers({ floors, sum }: Part): void {
    if (sum < floors[eighth]!) floors[eighth] = sum;
  }

  function enter(index: number, slot: number, bytes: Bytes, at: number): void {
    const part = parts[index]!;
    partOf[slot] = index;
    cohortOf[slot] = at;
    part.sum += bytes;
    part.blocks++;
    part.stayed[at]! += bytes;
    part.steps[at]!++;
  }

  function leave(slot: number, bytes: Bytes): Part {
    const part = parts[partOf[slot]!]!;
    part.sum -= bytes;
    part.blocks--;
    if (pieces.has(slot)) {
      part.grownBytes -= bytes;
      part.grownBlocks--;
      for (let c = 0; c < COHORTS; c++) part.stayed[c]! -= pieces.of(slot, c);
    } else {
      part.stayed[cohortOf[slot]!]! -= bytes;
      part.steps[cohortOf[slot]!]!--;
    }
    return part;
  }

  /** A realloc. */
  function resize(row: number, slot: number, old: Bytes, size: Bytes): void {
    const from = leave(slot, old);
    if (size <= old && !pieces.has(slot)) enter(chooser.ofSize(row, size), slot, size, cohortOf[slot]!);
    else {
      pieces.resize(slot, old, cohortOf[slot]!, size, cohort);
      enterInPieces(chooser.grown(row), slot, size);
    }
    lowers(from);
  }

  function enterInPieces(index: number, slot: number, size: Bytes): void {
    const part = parts[index]!;
    partOf[slot] = index;
    part.sum += size;
    part.grownBytes += size;
    part.grownBlocks++;
    part.blocks++;
    part.steps[cohort]!++;
    for (let c = 0; c < COHORTS; c++) part.stayed[c]! += pieces.of(slot, c);
  }

  return {
    /** A block comes (`old` is 0), goes (`size` is 0) or changes its size. */
    set(row: number, ns: Ns, slot: number, old: Bytes, size: Bytes): void {
      if (row >= nextRow || ns >= nextNs) reach(row, ns);
      if (old > 0 && size > 0) resize(row, slot, old, size);
      else if (size > 0) enter(chooser.ofSize(row, size), slot, size, cohort);
      else if (old > 0) {
        lowers(leave(slot, old));
        pieces.drop(slot);
        if (eighth < 2) return;
        freed.blocks++;
        freed.bytes += old;
      }
    },
    /** What lives of blocks that realloc made larger. */
    reallocBytes: () => parts.reduce((sum, part) => sum + part.grownBytes, 0),
    /** Behind the first quarter of the events. */
    freed: freed as Freed,
    /** Those that grow to the end, the largest first. */
    growing(): GrowingPart[] {
      reach(lives, wholeNs);
      const found = parts.filter(grows);
      // Of many sizes some seem to grow by chance, where all of what is replaced now and then fills up together.
      const isChance = !hasCallSites(events) && !growTogether([...new Set([...found, ...parts.filter(isLasting)])]);
      return isChance ? [] : found.map(described).sort((x, y) => y.bytes - x.bytes);
    },
  };
}

function byQuarter(cohorts: Float64Array): Floors {
  const quarter = (q: number) => cohorts.subarray(q * SPANS, (q + 1) * SPANS).reduce((sum, value) => sum + value, 0);
  return [quarter(0), quarter(1), quarter(2), quarter(3)];
}

/** Of what lasts so much came in the second and the third quarter, and is not replaced by now. */
const LASTING = 1 / 4;

function isLasting({ stayed, sum }: Part): boolean {
  const [, early, late] = byQuarter(stayed);
  return early + late > 0 && early + late >= sum * LASTING;
}

function growTogether(parts: readonly Part[]): boolean {
  const sumOf = (which: 'floors' | 'stayed', i: number) => parts.reduce((total, part) => total + part[which][i]!, 0);
  const stayed = Float64Array.from({ length: COHORTS }, (_, c) => sumOf('stayed', c));
  return isGrowing(
    Float64Array.from({ length: EIGHTHS }, (_, e) => sumOf('floors', e)),
    byQuarter(stayed),
  );
}

/** What came in the span of the time or later. */
const since = ({ stayed }: Part, first: number): Bytes =>
  stayed.reduce((total, bytes, c) => total + (c % SPANS >= first ? bytes : 0), 0);

function grows(part: Part): boolean {
  const { sizes, floors, stayed, steps, sum } = part;
  const [, early, late] = byQuarter(steps);
  const few = sizes === null ? FEW : FEW_OF_A_SIZE;
  if (Math.min(early, late) < few || !isGrowing(floors, byQuarter(stayed))) return false;
  return since(part, 1) >= sum * LATE;
}

function described(part: Part): GrowingPart {
  const { line, sizes, blocks, grownBytes, grownBlocks, sum, floors, stayed, steps } = part;
  const within = ([first, early, late, last]: Floors): number => {
    const most = Math.max(early, late);
    return Math.min(first, most) + early + late + Math.min(last, most);
  };
  const [, early, late, last] = byQuarter(steps);
  return {
    line,
    sizes,
    bytes: within(byQuarter(stayed)),
    blocks,
    steps: early + late + last,
    grownByRealloc: grownBytes * 2 > sum ? grownBlocks : 0,
    hasStopped: since(part, 2) < sum * LAST,
    floors: quartersOf(floors),
  };
}
