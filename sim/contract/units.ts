/** Unit flavours: literals and sums need no cast, yet passing `Pages` for `Bytes` is a compile error. */
export type Bytes = number & { readonly __unit?: 'bytes' };
export type Pages = number & { readonly __unit?: 'pages' };
/** Index of a 4096-byte page of the simulated address space: 0 to PAGE_LIMIT - 1; 0 is null. */
export type Page = number & { readonly __unit?: 'page' };
/** Byte address in the simulated address space (see kernel/layout.ts), 0 to 2^35; 0 is null. */
export type Addr = number & { readonly __unit?: 'addr' };
/** Virtual nanoseconds; exact up to 2^53 (104 days). */
export type Ns = number & { readonly __unit?: 'ns' };

export const KIB = 1024;
export const MIB = 1048576;
export const GIB = 1073741824;

export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 4096;
/** Pages of 2 MiB, the huge page of x86-64. */
export const HUGE_PAGES = 512;

/** Rounds up to a multiple of `align`, any positive number; exact for doubles below 2^53. */
export function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
