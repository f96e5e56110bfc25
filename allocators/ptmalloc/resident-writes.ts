import type { Kernel } from '../../sim/kernel/kernel.ts';
import * as residency from '../../sim/kernel/residency.ts';
import * as chunk from './chunk.ts';

export type ResidentWrites = ReturnType<typeof createResidentWrites>;

/** Which pages a write makes resident, for places counted in units of 16 bytes. */
export function createResidentWrites(kernel: Kernel) {
  const { RESIDENT } = residency;
  const { PAGE_UNIT_SHIFT, PAGE_UNITS } = chunk;
  const { pages, fault, touchRange, readRange } = kernel;
  // Eight pages at a time, as the bits of a double; the region is a multiple of eight pages long.
  const octets = new Float64Array(pages.buffer);
  const EIGHT_RESIDENT = new Float64Array(new Uint8Array(8).fill(RESIDENT).buffer)[0]!;

  /** One write at a unit. */
  function touchUnit(unit: number): void {
    const page = unit >> PAGE_UNIT_SHIFT;
    if (pages[page] !== RESIDENT) fault(page);
  }

  /** Every page from `first` to `last`, inclusive. Mostly all of them are resident, and those around them. */
  function touchPages(first: number, last: number): void {
    const end = last >> 3;
    for (let octet = first >> 3; octet <= end; octet++) {
      if (octets[octet] !== EIGHT_RESIDENT) {
        touchRange(Math.max(first, octet << 3), last);
        return;
      }
    }
  }

  /** Units in so many bytes; a shift serves for all but blocks beyond 4 GiB. */
  function unitsIn(bytes: number): number {
    return bytes <= 0xffffffff ? bytes >>> 4 : Math.floor(bytes / 16);
  }

  /** A write of bytes [from, to) counted from the start of `unit`; to > from. */
  function touchBytes(unit: number, from: number, to: number): void {
    touchPages((unit + unitsIn(from)) >> PAGE_UNIT_SHIFT, (unit + unitsIn(to - 1)) >> PAGE_UNIT_SHIFT);
  }

  /** The same where the unit need be no int32: in the far area. */
  function touchFarBytes(unit: number, from: number, to: number): void {
    touchPages(pageOf(unit, from), pageOf(unit, to - 1));
  }

  const pageOf = (unit: number, bytes: number): number => Math.floor((unit + unitsIn(bytes)) / PAGE_UNITS);

  /** A read likewise. */
  function readBytes(unit: number, from: number, to: number): void {
    readRange(pageOf(unit, from), pageOf(unit, to - 1));
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

  return { touchUnit, touchPages, touchBytes, touchFarBytes, readBytes, touchLinks };
}
