import type { AreaKind } from '../../sim/contract/allocator.ts';
import { type Addr, type Bytes, PAGE_BYTES } from '../../sim/contract/units.ts';
import { BRK_START_PAGE, MMAP_BOTTOM_PAGE } from '../../sim/kernel/layout.ts';
import { LAZILY_FREED, RESIDENT } from '../../sim/kernel/residency.ts';
import { PROT_MASK, PROT_NONE, VM_ELIDED } from '../../sim/kernel/vma.ts';
import type { Breakdown } from '../../sim/metrics/sample.ts';
import type { Assembled } from './machine.ts';

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
  const flat = flatten(named);
  const rest: Area[] = [];
  let next = 0;
  for (let index = 0; index < vmas.count(); index++) {
    if (vmas.flags(index) & VM_ELIDED) continue;
    let from = vmas.start(index) * PAGE_BYTES;
    const end = vmas.end(index) * PAGE_BYTES;
    while (from < end) {
      while (next < flat.length && flat[next]!.end <= from) next++;
      const area = flat[next];
      if (!area || area.start >= end) {
        rest.push(unnamed(from, end, vmas.flags(index), flat[next - 1]));
        break;
      }
      if (area.start > from) rest.push(unnamed(from, area.start, vmas.flags(index), flat[next - 1]));
      from = area.end;
    }
  }
  return [...flat, ...rest].sort((x, y) => x.start - y.start);
}

/**
 * An area within another one, as a segment that a layer above took from the heap below, is cut out of it: what is left
 * of the outer one keeps its name.
 */
function flatten(areas: readonly Area[]): Area[] {
  const flat: Area[] = [];
  const open: Area[] = []; // outermost first
  let at = 0;
  const emitUntil = (end: number) => {
    while (open.length > 0 && at < end) {
      const inner = open.at(-1)!;
      const to = Math.min(inner.end, end);
      if (to > at) flat.push({ ...inner, start: at, end: to });
      at = Math.max(at, to);
      if (inner.end <= at) open.pop();
    }
  };
  for (const area of [...areas].sort((x, y) => x.start - y.start || y.end - x.end)) {
    emitUntil(area.start);
    at = Math.max(at, area.start);
    open.push(area);
  }
  emitUntil(Infinity);
  return flat;
}

/** `arena 3, heap 1` → `arena heap`, `slab of 320, arena 2` → `slab of 320`: the name without the numbers of instances. */
export function groupName(name: string, kind: AreaKind): string {
  const plain = name.replace(/(,| of) arena \d+/g, '');
  if (kind === 'slab') return plain;
  return plain
    .replace(/\s*\d+/g, '')
    .replace(/,/g, '')
    .replace(/ of$/, '')
    .trim();
}

/** Address space that may not even be read. */
export const RESERVED = 'reserved address space';

/** `before`: the area that ends where it begins, or below. */
function unnamed(start: Addr, end: Addr, flags: number, before: Area | undefined): Area {
  if ((flags & PROT_MASK) === PROT_NONE) return { name: RESERVED, kind: 'mapped', start, end };
  const inBrk = start >= BRK_START_PAGE * PAGE_BYTES && start < MMAP_BOTTOM_PAGE * PAGE_BYTES;
  if (inBrk) return { name: 'brk heap', kind: 'heap', start, end };
  // What a heap gave back with madvise stays readable behind its end.
  const isCutOff = before?.kind === 'heap' && before.end === start;
  return { name: isCutOff ? `${before.name}, cut-off end` : 'other mapping', kind: 'mapped', start, end };
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

/** Resident bytes of an area: of a page that it shares, its own part. */
export function residentBytes(assembled: Assembled, { start, end }: Pick<Area, 'start' | 'end'>): Bytes {
  const { pages, residency } = assembled.machine.kernel;
  const first = Math.ceil(start / PAGE_BYTES);
  const last = Math.floor(end / PAGE_BYTES);
  if (last < first) return isResident(pages, last) ? end - start : 0;
  let bytes = residency.residentIn(first, last) * PAGE_BYTES;
  if (isResident(pages, first - 1)) bytes += first * PAGE_BYTES - start;
  if (isResident(pages, last)) bytes += end - last * PAGE_BYTES;
  return bytes;
}

export const NOTHING: Breakdown = { requested: 0, slack: 0, metadata: 0, cached: 0, pinned: 0, returnable: 0 };

export function isResident(pages: Uint8Array, page: number): boolean {
  return pages[page] === RESIDENT || pages[page] === LAZILY_FREED;
}
