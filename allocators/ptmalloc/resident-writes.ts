import type { Kernel } from '../../sim/kernel/kernel.ts';
import * as residency from '../../sim/kernel/residency.ts';
import * as chunk from './chunk.ts';

export type ResidentWrites = ReturnType<typeof createResidentWrites>;

/** Which pages a write makes resident, for places counted in units of 16 bytes. */
export function createResidentWrites(kernel: Kernel) {
  const { RESIDENT } = residency;
  const { PAGE_UNIT_SHIFT } = chunk;
  const { pages, fault, readRange } = kernel;
  // Four pages at a time; the region is a multiple of four pages long.
  const quads = new Int32Array(pages.buffer);
  const FOUR_RESIDENT = RESIDENT * 0x01010101;

  /** One write at a unit. */
  function touchUnit(unit: number): void {
    const page = unit >> PAGE_UNIT_SHIFT;
    if (pages[page] !== RESIDENT) fault(page);
  }

  /** Every page from `first` to `last`, inclusive. */
  function touchPages(first: number, last: number): void {
    let page = first;
    for (; page <= last && (page & 3) !== 0; page++) if (pages[page] !== RESIDENT) fault(page);
    for (; page + 3 <= last; page += 4) {
      if (quads[page >> 2] !== FOUR_RESIDENT) {
        for (let p = page; p < page + 4; p++) if (pages[p] !== RESIDENT) fault(p);
      }
    }
    for (; page <= last; page++) if (pages[page] !== RESIDENT) fault(page);
  }

  /** A write of bytes [from, to) counted from the start of `unit`; to > from. */
  function touchBytes(unit: number, from: number, to: number): void {
    touchPages(
      (unit + Math.floor(from / 16)) >> PAGE_UNIT_SHIFT,
      (unit + Math.floor((to - 1) / 16)) >> PAGE_UNIT_SHIFT,
    );
  }

  /** A read likewise. */
  function readBytes(unit: number, from: number, to: number): void {
    readRange((unit + Math.floor(from / 16)) >> PAGE_UNIT_SHIFT, (unit + Math.floor((to - 1) / 16)) >> PAGE_UNIT_SHIFT);
  }

  /**
   * The links of a free chunk at `unit`: fd and bk in its second unit, the nextsize links in its third. Its header's page
   * is resident.
   */
  function touchLinks(unit: number, isLarge: boolean): void {
    if ((unit & 254) !== 254) return;
    touchUnit(unit + 1);
    if (isLarge) touchUnit(unit + 2);
  }

  return { touchUnit, touchPages, touchBytes, readBytes, touchLinks };
}
