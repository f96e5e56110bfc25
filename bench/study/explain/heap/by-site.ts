import { isFreeRange, RANGE_CACHED, RANGE_LIVE } from '../../../../sim/contract/allocator.ts';
import { InvariantError } from '../../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { frameText } from '../../../report/sites/frames.ts';
import type { StackBytes } from '../../../report/sites/stacks.ts';
import { type Area, areaAt, collectAreas, isResident } from '../../../run/areas.ts';
import type { Assembled } from '../../../run/machine.ts';
import { LockstepRun } from '../../../run/modes/lockstep.ts';
import type { RowWatcher, RunOptions } from '../../../run/run-options.ts';
import { type LastFreed, watchLastFreed } from './last-freed.ts';
import { type LiveBlock, liveBlocks, type RunSoFar } from './live-blocks.ts';
import { collectRanges, goesWhole, keptPages, type Ranges, reportAreas, sumOfAreas } from './ranges.ts';

/** The machine at the point that is asked about. */
export interface Situation {
  readonly assembled: Assembled;
  readonly areas: readonly Area[];
  readonly ranges: Ranges;
  readonly blocks: readonly LiveBlock[];
  readonly sums: ClassSums;
}

/** A trace with call sites (format 2). */
export type SitedEvents = EventBuffer & { readonly sites: Int32Array };

const UNKNOWN = '(unknown)';
/** Free memory where no block has lain. */
export const NOBODY = '(no block so far)';
/** What pins but is no live block. */
export const ALLOCATOR = '(caches and structures of the allocator)';

export function hasCallSites(events: EventBuffer): events is SitedEvents {
  return events.sites !== undefined;
}

/** The call stack of an allocating row, outermost caller first. */
export function stackOfRow(events: EventBuffer, row: number): readonly string[] {
  return stackOf(events, events.sites?.[row] ?? 0);
}

/** Resident bytes by call stack once the first `end` rows have run; undefined for a trace without call sites. In steps. */
export function* bySiteSteps(options: RunOptions, end: number): Generator<void, StackBytes[] | undefined> {
  const { events } = options;
  if (!hasCallSites(events)) return undefined;
  let last: (LastFreed & RowWatcher) | undefined;
  const watch = (assembled: Assembled) => (last = watchLastFreed(events, assembled));
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true, watch });
  yield* run.advanceInSteps(end);
  return sitesOfRun(run, events, last!);
}

/** The same where the machine stands there already, and `last` has watched it. */
export function sitesOfRun(run: RunSoFar, events: EventBuffer, last: LastFreed): StackBytes[] | undefined {
  const { assembled } = run;
  const { blocks } = liveBlocks(run, events);
  const ranges = collectRanges(assembled, blocks);
  const areas = collectAreas(assembled);
  const reports = reportAreas(assembled, areas, ranges, blocks, keptPages(assembled, ranges));
  return siteBytes(events, last, { assembled, areas, ranges, blocks, sums: sumOfAreas(reports) });
}

/** The same once all of it has been looked at. The sums over all stacks are those of the breakdown. */
export function siteBytes(events: EventBuffer, last: LastFreed, situation: Situation): StackBytes[] | undefined {
  if (!hasCallSites(events)) return undefined;
  const { allocated } = last;
  const { areas, ranges, blocks } = situation;
  const count = events.siteParent.length;
  const sums = {
    held: new Float64Array(count),
    // One place more, for what is no site: the allocator's own, and free memory that nobody has used.
    pinned: new Float64Array(count + 1),
    freed: new Float64Array(count + 1),
  };
  const eachPage = residentPieces(situation.assembled);
  const keepers = keepersOf(situation, events.sites);
  for (let i = 0; i < ranges.length; i++) {
    const area = areaAt(areas, ranges.start[i]!);
    if (area < 0) continue;
    const kind = ranges.kind[i];
    if (kind === RANGE_LIVE) {
      const site = events.sites[blocks[ranges.block[i]!]!.event]!;
      eachPage(ranges.start[i]!, ranges.end[i]!, (_page, bytes) => {
        sums.held[site]! += bytes;
      });
    } else if (isFreeRange(kind) || kind === RANGE_CACHED) {
      eachPage(ranges.start[i]!, ranges.end[i]!, (page, bytes) => {
        sums.freed[allocated[page] === 0 ? count : events.sites[allocated[page]! - 1]!]! += bytes;
        if (isFreeRange(kind)) keepers.share(area, page, bytes, sums.pinned);
      });
    }
  }
  keepers.finish(sums.pinned);
  checkSums(sums, situation.sums);
  return merged(events, sums);
}

function residentPieces({ machine }: Assembled) {
  const { pages } = machine.kernel;
  return (start: number, end: number, visit: (page: number, bytes: Bytes) => void): void => {
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const next = Math.min(end, (page + 1) * PAGE_BYTES);
      if (isResident(pages, page)) visit(page, next - at);
      at = next;
    }
  };
}

/**
 * Who keeps a free byte from being given back: the live blocks on its page, or anywhere in its slab or chunk, in equal
 * parts; where there is none and the page is kept all the same, the allocator itself.
 */
function keepersOf({ areas, ranges, blocks, assembled }: Situation, sites: Int32Array) {
  const byPage = new Map<number, number[]>();
  const byArea = new Map<number, number[]>();
  const kept = keptPages(assembled, ranges);
  const add = (map: Map<number, number[]>, key: number, site: number) => {
    const list = map.get(key);
    if (list) list.push(site);
    else map.set(key, [site]);
  };
  for (let i = 0; i < ranges.length; i++) {
    if (ranges.kind[i] !== RANGE_LIVE || ranges.end[i] === ranges.start[i]) continue;
    const area = areaAt(areas, ranges.start[i]!);
    if (area < 0) continue;
    const site = sites[blocks[ranges.block[i]!]!.event]!;
    if (goesWhole(areas[area]!)) add(byArea, area, site);
    // Between its first page and its last one there is no room for free memory.
    const first = Math.floor(ranges.start[i]! / PAGE_BYTES);
    const last = Math.floor((ranges.end[i]! - 1) / PAGE_BYTES);
    add(byPage, first, site);
    if (last !== first) add(byPage, last, site);
  }
  const freeIn = new Map<number, Bytes>();
  const split = (bytes: Bytes, keepers: readonly number[], pinned: Float64Array): void => {
    if (keepers.length === 0) pinned[pinned.length - 1]! += bytes;
    const each = Math.floor(bytes / keepers.length);
    const rest = bytes - each * keepers.length;
    for (let i = 0; i < keepers.length; i++) pinned[keepers[i]!]! += each + (i < rest ? 1 : 0);
  };
  return {
    share(area: number, page: number, bytes: Bytes, pinned: Float64Array): void {
      if (goesWhole(areas[area]!)) freeIn.set(area, (freeIn.get(area) ?? 0) + bytes);
      else if (kept[page] === 1) split(bytes, byPage.get(page) ?? [], pinned);
    },
    /** Slabs and chunks, once all of their free bytes are known. */
    finish(pinned: Float64Array): void {
      for (const [area, bytes] of freeIn) split(bytes, byArea.get(area) ?? [], pinned);
    },
  };
}

type ClassSums = ReturnType<typeof sumOfAreas>;
type Sums = Readonly<Record<'held' | 'pinned' | 'freed', Float64Array>>;

function checkSums({ held, pinned, freed }: Sums, { breakdown: b, withinSlabsBytes }: ClassSums): void {
  const sum = (column: Float64Array) => column.reduce((total, bytes) => total + bytes, 0);
  for (const [name, found, expected] of [
    ['held', sum(held), b.requested + b.slack],
    ['pinned', sum(pinned), b.pinned + withinSlabsBytes],
    ['freed', sum(freed), b.cached + b.pinned + b.returnable],
  ] as const) {
    if (found !== expected) throw new InvariantError(`by call site ${found} bytes are ${name}, in all ${expected}`);
  }
}

function merged(events: SitedEvents, { held, pinned, freed }: Sums): StackBytes[] {
  const stacks = new Map<string, { stack: readonly string[]; held: number; pinned: number; freed: number }>();
  const add = (stack: readonly string[], h: Bytes, p: Bytes, f: Bytes) => {
    if (h === 0 && p === 0 && f === 0) return;
    const key = stack.join('\n');
    const entry = stacks.get(key) ?? { stack, held: 0, pinned: 0, freed: 0 };
    entry.held += h;
    entry.pinned += p;
    entry.freed += f;
    stacks.set(key, entry);
  };
  for (let site = 0; site < held.length; site++) {
    if (held[site]! + pinned[site]! + freed[site]! > 0)
      add(stackOf(events, site), held[site]!, pinned[site]!, freed[site]!);
  }
  add([ALLOCATOR], 0, pinned[held.length]!, 0);
  add([NOBODY], 0, 0, freed[held.length]!);
  const order = (s: StackBytes) => s.held + s.freed;
  return [...stacks.values()].sort((x, y) => order(y) - order(x) || y.pinned - x.pinned);
}

/** A call stack, outermost caller first. */
export function stackOf({ frames, siteFrame, siteParent }: EventBuffer, site: number): string[] {
  const stack: string[] = [];
  for (let s = site; s !== 0; s = siteParent[s]!) stack.push(frameText(frames[siteFrame[s]!]!));
  return stack.length > 0 ? stack.reverse() : [UNKNOWN];
}
