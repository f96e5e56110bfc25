/** What differs between versions of glibc. Everything else is the same code. */
export interface Features {
  readonly version: string;
  /**
   * sysmalloc() passes sysmalloc_mmap_fallback() its least size and its granule in each other's place (2.35 to 2.37): the
   * megabyte is then what a contiguous arena rounds up to, and no least size at all.
   */
  readonly fallbackArgumentsSwapped: boolean;
}

export const VERSIONS = ['2.36'] as const;

export function featuresOf(version: string): Features {
  return { version, fallbackArgumentsSwapped: version === '2.36' };
}
