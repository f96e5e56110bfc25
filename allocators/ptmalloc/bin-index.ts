// Which bin a chunk belongs to, by its size in units of 16 bytes. glibc's formulas count in bytes; sizes are multiples
// of 16, so nothing is lost.
//
//   bins 2 … 63     one size each: 32, 48, … 1008 bytes       (small)
//   bins 64 … 96    64 bytes apart, from 1024                  (large from here on)
//   bins 97 … 111   512 bytes apart
//   bins 112 … 119  4096 apart
//   bins 120 … 123  32768 apart
//   bins 124, 125   262144 apart
//   bin 126         what is left
export const NBINS = 128;
export const NFASTBINS = 10;
/** MIN_LARGE_SIZE, 1024 bytes. */
export const MIN_LARGE_UNITS = 64;

export const isSmall = (units: number) => units < MIN_LARGE_UNITS;

/** largebin_index() for units of at least MIN_LARGE_UNITS. */
export function largeBinIndex(units: number): number {
  if (units >= 2 ** 31) return 126; // a shift would lose its upper bits
  if (units >>> 2 <= 48) return 48 + (units >>> 2);
  if (units >>> 5 <= 20) return 91 + (units >>> 5);
  if (units >>> 8 <= 10) return 110 + (units >>> 8);
  if (units >>> 11 <= 4) return 119 + (units >>> 11);
  if (units >>> 14 <= 2) return 124 + (units >>> 14);
  return 126;
}

/** bin_index(). A small bin's number is its size in units. */
export function binIndex(units: number): number {
  return isSmall(units) ? units : largeBinIndex(units);
}
