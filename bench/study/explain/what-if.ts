import type { OptionValue } from '../../../allocators/model.ts';
import { type AllocatorSpec, formatAllocator } from '../../../allocators/spec.ts';
import { type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import type { Breakdown } from '../../../sim/metrics/sample.ts';
import { Session, type SessionOptions } from '../../run/session.ts';

/** One setting that might change where the memory is, and what it does. */
interface Alternative {
  readonly option: string;
  readonly value: OptionValue;
  readonly about: string;
}

/** By model: settings that people reach for. Each is tried, none is recommended unmeasured. */
const ALTERNATIVES: Readonly<Record<string, readonly Alternative[]>> = {
  glibc: [
    {
      option: 'mmap_threshold',
      value: 131072,
      about: 'fixes the threshold: every block from 128 KiB up is mapped on its own and unmapped by its free',
    },
    {
      option: 'trim_threshold',
      value: 131072,
      about: 'cuts the top of a heap from 128 KiB on, and fixes the mmap threshold too',
    },
    { option: 'arena_max', value: 2, about: 'threads share two arenas' },
    { option: 'arena_max', value: 1, about: 'all threads share the main heap' },
    { option: 'tcache_count', value: 0, about: 'no thread caches' },
    { option: 'top_pad', value: 0, about: 'heaps grow by what is needed and no more' },
  ],
  jemalloc: [
    { option: 'dirty_decay_ms', value: 0, about: 'free pages go back at once' },
    { option: 'background_thread', value: true, about: 'free pages go back in time even where nobody allocates' },
    { option: 'narenas', value: 1, about: 'all threads share one arena' },
    { option: 'tcache', value: false, about: 'no thread caches' },
    { option: 'retain', value: false, about: 'extents that are not used are unmapped' },
  ],
};

/** The same workload up to the same event, under another setting: run, not estimated. */
export interface WhatIf {
  readonly setting: string;
  readonly about: string;
  /** As it may be given to --allocator. */
  readonly allocator: string;
  readonly rssBytes: Bytes;
  readonly rssPeakBytes: Bytes;
  readonly vszBytes: Bytes;
  readonly breakdown: Breakdown;
  readonly faults: number;
  readonly syscalls: number;
  /** The real program would have aborted, or memory would have run out. */
  readonly failed: boolean;
}

/** `spec` with one option set, in the layer whose option it is. */
export function withOption(spec: AllocatorSpec, option: string, value: OptionValue): AllocatorSpec {
  if (!spec.model.options.some((o) => o.name === option) && spec.below) {
    return { ...spec, below: withOption(spec.below, option, value) };
  }
  return {
    ...spec,
    options: { ...spec.options, [option]: value },
    given: { ...spec.given, [option]: value },
  };
}

/** Settings worth a try for this allocator: those that it has and that were not given so. */
export function alternativesFor(
  spec: AllocatorSpec,
): { readonly spec: AllocatorSpec; readonly about: string; readonly setting: string }[] {
  const own = (ALTERNATIVES[spec.model.name] ?? [])
    .filter((a) => spec.model.options.some((o) => o.name === a.option) && spec.given[a.option] !== a.value)
    .map((a) => ({
      spec: withOption(spec, a.option, a.value),
      about: a.about,
      setting: `${a.option}=${a.value}`,
    }));
  if (!spec.below) return own;
  return [...own, ...alternativesFor(spec.below).map((a) => ({ ...a, spec: { ...spec, below: a.spec } }))];
}

/** Runs every alternative to row `end`. */
export function runWhatIfs(options: SessionOptions, end: number): WhatIf[] {
  return alternativesFor(options.spec).map(({ spec, about, setting }) => {
    const session = new Session({ ...options, spec });
    session.advance(end);
    session.sample('(what if)', session.row);
    const sample = session.samples.at(-1)!;
    return {
      setting,
      about,
      allocator: formatAllocator(spec),
      rssBytes: sample.rssBytes,
      rssPeakBytes: session.assembled.machine.kernel.residency.residentPeakPages() * PAGE_BYTES,
      vszBytes: sample.vszBytes,
      breakdown: sample.breakdown,
      faults: sample.faults,
      syscalls: Object.values(sample.syscalls).reduce((sum, n) => sum + n, 0),
      failed: session.abort !== null || session.failedRows.length > 0,
    };
  });
}
