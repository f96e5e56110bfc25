import { expect } from 'vitest';
import type { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import { RANGE_LIVE } from '../../sim/contract/allocator.ts';
import { type Addr, type Bytes, PAGE_BYTES } from '../../sim/contract/units.ts';

type Range = readonly [start: Addr, end: Addr];

/**
 * The live blocks neither overlap nor are misaligned; what the walk tells does not overlap either, all of it is mapped,
 * and its live ranges are the live blocks.
 */
export function checkBlocks(run: LockstepRun, alignmentOf: (usable: Bytes) => Bytes): void {
  const { allocator, objects, machine } = run.assembled;
  const blocks: Range[] = [];
  for (const handle of objects.handles) {
    if (handle === 0) continue;
    const start = allocator.addressOf(handle);
    const usable = allocator.usableSize(handle);
    expect(start % alignmentOf(usable)).toBe(0);
    blocks.push([start, start + usable]);
  }
  const ranges: Range[] = [];
  const live: Range[] = [];
  allocator.walk((start, length, kind) => {
    if (length === 0) return;
    ranges.push([start, start + length]);
    if (kind === RANGE_LIVE) live.push([start, start + length]);
  });
  expectApart(blocks);
  expectApart(ranges);
  for (const [start, end] of ranges) {
    expect(machine.kernel.vmas.covered(Math.floor(start / PAGE_BYTES), Math.ceil(end / PAGE_BYTES))).toBe(true);
  }
  expect(live.sort(byStart)).toEqual(blocks);
}

const byStart = ([a]: Range, [b]: Range): number => a - b;

/** Sorts them. */
function expectApart(ranges: Range[]): void {
  ranges.sort(byStart);
  for (let i = 1; i < ranges.length; i++) expect(ranges[i]![0]).toBeGreaterThanOrEqual(ranges[i - 1]![1]);
}
