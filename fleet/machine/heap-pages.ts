import { PROT_NONE, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { BRK_START_PAGE, MMAP_BOTTOM_PAGE } from '../../sim/kernel/layout.ts';
import { COPY_ON_WRITE, RESIDENT } from '../../sim/kernel/residency.ts';
import { type Layout, mappingsOf, residentRuns } from '../engine/layout.ts';
import type { MachineDriver } from './machine-driver.ts';

/** Region of a process that stands for the mmap area of its heap. */
const AREA = 'M';

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

const MAPPED = 1;
const WRITABLE = 2;
const SHARED = 1;
const OWN = 2;

/**
 * Brings a process's mappings and pages from one layout of its heap to another, range by range. Pages that it shares with its master are there
 * from the fork; those that it has written since are its own.
 */
export function moveHeap(driver: MachineDriver, name: string, from: Layout | undefined, to: Layout): void {
  const before = pieces(from);
  const after = pieces(to);
  // What goes comes first, so that the process is never larger than it was or will be.
  const mappings = differences(before.mappings, after.mappings);
  for (const { start, end, to: value } of mappings) if (value === 0) unmap(driver, name, start, end);
  const resident = differences(before.resident, after.resident);
  const stillMapped = (start: number, end: number) => overlaps(after.mappings, start, end);
  for (const { start, end, to: value } of resident) {
    if (value !== 0) continue;
    for (const part of stillMapped(start, end))
      driver.do(`${name} madvise ${place(part.start)} ${bytes(part.end - part.start)} dontneed`);
  }
  for (const { start, end, from: old, to: value } of mappings)
    if (value !== 0) map(driver, name, start, end, old, value);
  for (const { start, end, to: value } of resident)
    if (value === OWN) driver.do(`${name} touch ${place(start)} ${bytes(end - start)}`);
}

/** The heap of a forked process as it is in the one that it was forked from. */
export function asMasters(layout: Layout): Layout {
  const own = layout.slice();
  const at = 1 + 3 * own[0]!;
  for (let i = 0; i < own[at]!; i++) if (own[at + 3 + 3 * i] === COPY_ON_WRITE) own[at + 3 + 3 * i] = RESIDENT;
  return own;
}

const bytes = (pages: number) => pages * 4096;
const isBreak = (page: number) => page < MMAP_BOTTOM_PAGE;
/** Region and offset of a page. */
const place = (page: number) =>
  isBreak(page) ? `heap ${bytes(page - BRK_START_PAGE)}` : `${AREA} ${bytes(page - MMAP_BOTTOM_PAGE)}`;

function unmap(driver: MachineDriver, name: string, start: number, end: number): void {
  if (isBreak(start)) driver.do(`${name} brk -${bytes(end - start)}`);
  else driver.do(`${name} munmap ${place(start)} ${bytes(end - start)}`);
}

function map(driver: MachineDriver, name: string, start: number, end: number, old: number, value: number): void {
  const length = bytes(end - start);
  if (isBreak(start)) {
    if (old === 0) driver.do(`${name} brk +${length}`);
  } else if (old === 0) {
    const access = value === WRITABLE ? 'private' : 'private none noreserve';
    driver.do(`${name} mmap ${AREA} ${length} ${access} shift=${bytes(start - MMAP_BOTTOM_PAGE)}`);
  } else driver.do(`${name} mprotect ${place(start)} ${length} ${value === WRITABLE ? 'rw' : 'none'}`);
}

function pieces(layout: Layout | undefined): { mappings: Piece[]; resident: Piece[] } {
  if (!layout) return { mappings: [], resident: [] };
  const mappings = mappingsOf(layout).map(({ start, end, flags }) => ({
    start,
    end,
    value: (flags & PROT_WRITE) !== 0 && flags !== PROT_NONE ? WRITABLE : MAPPED,
  }));
  return {
    mappings,
    resident: residentRuns(layout).map(({ start, end, isShared }) => ({ start, end, value: isShared ? SHARED : OWN })),
  };
}

/** Ranges where two maps of the address space differ, with the value of each; 0 where there is nothing. */
function differences(
  before: readonly Piece[],
  after: readonly Piece[],
): { start: number; end: number; from: number; to: number }[] {
  const found: { start: number; end: number; from: number; to: number }[] = [];
  let i = 0;
  let j = 0;
  let at = 0;
  while (i < before.length || j < after.length) {
    const old = before[i];
    const now = after[j];
    const [from, fromEnds] = valueAt(old, at);
    const [to, toEnds] = valueAt(now, at);
    const next = Math.min(fromEnds, toEnds);
    if (from !== to) {
      const last = found.at(-1);
      if (last && last.end === at && last.from === from && last.to === to) last.end = next;
      else found.push({ start: at, end: next, from, to });
    }
    at = next;
    if (old && old.end <= at) i++;
    if (now && now.end <= at) j++;
  }
  return found;
}

/** What the first piece that is not over says of a place, and up to where. */
function valueAt(piece: Piece | undefined, at: number): [value: number, end: number] {
  if (!piece) return [0, Infinity];
  return piece.start <= at ? [piece.value, piece.end] : [0, piece.start];
}

function overlaps(list: readonly Piece[], start: number, end: number): { start: number; end: number }[] {
  return list.flatMap((piece) => {
    const from = Math.max(start, piece.start);
    const to = Math.min(end, piece.end);
    return from < to ? [{ start: from, end: to }] : [];
  });
}
