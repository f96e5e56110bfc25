import type { AreaKind } from '../../sim/allocator.ts';
import { BRK_START_PAGE, MMAP_BOTTOM_PAGE } from '../../sim/kernel/layout.ts';
import { LAZILY_FREED, RESIDENT } from '../../sim/kernel/residency.ts';
import { PROT_MASK, PROT_NONE } from '../../sim/kernel/vma.ts';
import type { Breakdown } from '../../sim/metrics/sample.ts';
import { type Addr, type Bytes, PAGE_BYTES } from '../../sim/units.ts';
import type { Assembled } from '../machine.ts';

/** A piece of the address space under one name; all of them together hold every resident page. */
export interface Area {
  readonly name: string;
  readonly kind: AreaKind;
  readonly start: Addr;
  readonly end: Addr;
}

/** The model's own areas, and what is mapped beside them; by address. */
export function collectAreas({ machine, top }: Assembled): Area[] {
  const { vmas } = machine.kernel;
  const named: Area[] = [];
  top.areas?.((start, length, name, kind) => named.push({ name, kind, start, end: start + length }));
  named.sort((x, y) => x.start - y.start);
  const rest: Area[] = [];
  let next = 0;
  for (let index = 0; index < vmas.count(); index++) {
    let from = vmas.start(index) * PAGE_BYTES;
    const end = vmas.end(index) * PAGE_BYTES;
    while (from < end) {
      while (next < named.length && named[next]!.end <= from) next++;
      const area = named[next];
      if (!area || area.start >= end) {
        rest.push(unnamed(from, end, vmas.flags(index)));
        break;
      }
      if (area.start > from) rest.push(unnamed(from, area.start, vmas.flags(index)));
      from = area.end;
    }
  }
  return [...named, ...rest].sort((x, y) => x.start - y.start);
}

/** Address space that may not even be read. */
export const RESERVED = 'reserved address space';

function unnamed(start: Addr, end: Addr, flags: number): Area {
  if ((flags & PROT_MASK) === PROT_NONE) return { name: RESERVED, kind: 'mapped', start, end };
  const inBrk = start >= BRK_START_PAGE * PAGE_BYTES && start < MMAP_BOTTOM_PAGE * PAGE_BYTES;
  return { name: inBrk ? 'brk heap' : 'mapping', kind: inBrk ? 'heap' : 'mapped', start, end };
}

/** Index of the area that holds `address`, or -1. */
export function areaAt(areas: readonly Area[], address: Addr): number {
  let low = 0;
  let high = areas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (areas[middle]!.end > address) high = middle;
    else low = middle + 1;
  }
  return low < areas.length && areas[low]!.start <= address ? low : -1;
}

/** Resident bytes of an area; pages that two areas share count for the one that begins on them. */
export function residentBytes(assembled: Assembled, area: Area): Bytes {
  const from = Math.ceil(area.start / PAGE_BYTES);
  const to = Math.ceil(area.end / PAGE_BYTES);
  return assembled.machine.kernel.residency.residentIn(from, to) * PAGE_BYTES;
}

export const NOTHING: Breakdown = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };

export function isResident(pages: Uint8Array, page: number): boolean {
  return pages[page] === RESIDENT || pages[page] === LAZILY_FREED;
}
