import type { Addr, Page, Pages } from '../contract/units.ts';

/**
 * The simulated address space: 32 GiB in which an address / 16 fits in an int32. It has two areas, as the ground-truth
 * replay's process has: the brk heap, and a mmap area that is empty and filled from its top, the fence, downwards.
 *
 *   page 0      0x156a              2^21                                    2^23
 *        │ null │ brk heap ──►        │                       ◄── mmap area  │ fence
 *   real        0x55555556a000      …                          0x7f0000000000
 *
 * The fence is a multiple of 32 GiB here and of 1 TiB there, and the two starts of the heap differ by a multiple of
 * 64 MiB. So everything that depends on low address bits comes out the same: arena heaps at multiples of 64 MiB, chunks
 * at multiples of 2 MiB, blocks of posix_memalign in the brk heap (a larger alignment than 64 MiB is always mapped).
 *
 * Above the fence there may be a far area (far-area.ts) for mappings of which nobody needs more than page numbers.
 */
export const BRK_START_PAGE: Page = 0x156a;
export const MMAP_BOTTOM_PAGE: Page = 2 ** 21;
export const FENCE_PAGE: Page = 2 ** 23;
export const PAGE_LIMIT = FENCE_PAGE;
/** The far area, 2 TiB: a mapping of 1 TiB has room beside what it grows out of. */
export const FAR_PAGES: Pages = 2 ** 29;

const BRK_START: Addr = BRK_START_PAGE * 4096;
const MMAP_BOTTOM: Addr = MMAP_BOTTOM_PAGE * 4096;
const FENCE: Addr = FENCE_PAGE * 4096;
const REAL_BRK_START = 0x55555556a000;
const REAL_FENCE = 0x7f0000000000;
/** Shown in place of the far area: 4 TiB below the real fence, as its mappings lie below what is mapped already. */
const REAL_FAR = REAL_FENCE - 2 ** 42;

/** The mmap area of a real process of x86-64, 47 bits less the heap's part: more than this nobody gets. */
export const REAL_AREA_PAGES = (REAL_FENCE - REAL_BRK_START) / 4096;

/** What lies between a page of the brk heap here and in the ground-truth replay's process; mappings differ by whole TiB. */
export const BRK_SHIFT_PAGES = (REAL_BRK_START - BRK_START) / 4096;

/** The address that the ground-truth replay's process would show for a simulated one; exact in a double. */
export function realAddress(address: Addr): number {
  if (address === 0) return 0;
  if (address >= FENCE) return REAL_FAR + (address - FENCE);
  return address >= MMAP_BOTTOM ? REAL_FENCE - (FENCE - address) : REAL_BRK_START + (address - BRK_START);
}

/** The inverse of `realAddress`. */
export function simulatedAddress(real: number): Addr {
  if (real === 0) return 0;
  if (real >= REAL_FAR && real < REAL_FAR + FAR_PAGES * 4096) return FENCE + (real - REAL_FAR);
  return real > REAL_BRK_START + MMAP_BOTTOM ? FENCE - (REAL_FENCE - real) : BRK_START + (real - REAL_BRK_START);
}

/**
 * As the system call lists name an address, free of where the process happens to lie: `heap+N` or `fence-N`. `depthPages` is how far
 * below the fence a page lies, where it is not as `realAddress` says.
 */
export function relativeAddress(address: Addr, depthPages?: Pages): string {
  if (address === 0) return 'NULL';
  if (depthPages !== undefined) return `fence-${depthPages * 4096}`;
  return address >= MMAP_BOTTOM ? `fence-${REAL_FENCE - realAddress(address)}` : `heap+${address - BRK_START}`;
}
