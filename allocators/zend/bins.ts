// Small sizes. A request of up to 3072 bytes is rounded up to one of 30 bins: steps of 8 bytes up to 64, from there four
// steps to each power of two (80, 96, 112, 128, 160, …). A bin is fed by runs: so many whole pages, cut into equal
// elements, chosen so that little is left over at the run's end.

export const BINS = 30;
export const MAX_SMALL_SIZE = 3072;

/** bin_data_size: bytes of an element. */
export const BIN_SIZE: readonly number[] = [
  8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280,
  1536, 1792, 2048, 2560, 3072,
];
/** bin_pages: pages of a run. */
export const BIN_PAGES: readonly number[] = [
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 3, 1, 1, 5, 3, 2, 2, 5, 3, 7, 4, 5, 3,
];
/** bin_elements: elements of a run. */
export const BIN_ELEMENTS: readonly number[] = BIN_SIZE.map((size, bin) => Math.floor((BIN_PAGES[bin]! * 4096) / size));

/** ZEND_MM_SMALL_SIZE_TO_BIN: the smallest bin that holds `size`; a size of 0 is served as 1. */
export function binOf(size: number): number {
  if (size <= 64) return size === 0 ? 0 : (size - 1) >>> 3;
  const last = size - 1;
  const octave = 32 - Math.clz32(last) - 3;
  return (last >>> octave) + ((octave - 3) << 2);
}

/** `binOf` as a table over (size + 7) / 8. */
export const BIN_BY_UNITS: Uint8Array = Uint8Array.from({ length: MAX_SMALL_SIZE / 8 + 1 }, (_, units) =>
  binOf(units * 8),
);
