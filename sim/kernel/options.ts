import type { Bytes, Pages } from '../contract/units.ts';

export type KernelVersion = '6.1' | '6.18';

export interface KernelOptions {
  /** 6.18 places anonymous mappings whose length is a multiple of 2 MiB at a multiple of 2 MiB; 6.1 does not. */
  readonly version: KernelVersion;
  /** Transparent huge pages; the ground-truth replay switches them off. */
  readonly thp: 'never' | 'madvise' | 'always';
  /** RLIMIT_AS and RLIMIT_DATA over the allocator's own mappings, bytes; Infinity for none. */
  readonly rlimitAs: Bytes;
  readonly rlimitData: Bytes;
  /** Room for mappings beyond the 32 GiB of fine addresses (far-area.ts); 0 for none. */
  readonly farPages?: Pages;
}

export const KERNEL_DEFAULTS: KernelOptions = {
  version: '6.18',
  thp: 'never',
  rlimitAs: Infinity,
  rlimitData: Infinity,
};
