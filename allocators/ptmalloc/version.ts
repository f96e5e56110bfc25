/** What differs between versions of glibc. Everything else is the same code. */
export interface Features {
  readonly version: string;
}

export const VERSIONS = ['2.36'] as const;

export function featuresOf(version: string): Features {
  return { version };
}
