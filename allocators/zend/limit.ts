import type { AllocatorStats, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Bytes, Pages } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';

/** Refusals that are kept with their numbers; later ones are counted only. */
const KEPT = 1000;
const FIELDS = 4; // thread, kind, first number, tried to allocate
const LIMIT = 1;
const OUT_OF_MEMORY = 2;
const OVERFLOW = 3;

export type Limits = ReturnType<typeof createLimits>;

/**
 * Two limits of real memory: the option's refuses; that of a recorded program has PHP collect garbage where it is passed,
 * and which call then failed is for the recording to say.
 */
export function createLimits(machine: Machine, option: Bytes) {
  /** By thread, in pages; 0: none. */
  const recorded = machine.memory.int32('zend.recordedLimits', machine.threadSlots);
  const optionPages = Math.floor(option / 4096);
  return {
    bytes: (t: ThreadSlot): Bytes => (recorded[t] === 0 ? option : Math.min(option, recorded[t]! * 4096)),
    allows: (t: ThreadSlot, real: Pages): boolean => real <= optionPages && (recorded[t] === 0 || real <= recorded[t]!),
    /** Whether more cannot be had, now that nothing is left to collect. */
    refuses: (real: Pages): boolean => real > optionPages || machine.kernel.isRefusing(),
    set(t: ThreadSlot, limit: Pages): void {
      recorded[t] = limit < 0 ? 0 : limit;
    },
  };
}

export type Refusals = ReturnType<typeof createRefusals>;

/**
 * What PHP would have ended the request with: here the allocation returns 0, and the message is kept for the report.
 * `outOfMemoryUnit` is the word behind the number in "Out of memory (allocated N…)", which older releases leave out.
 */
export function createRefusals(machine: Machine, outOfMemoryUnit: string) {
  const { memory } = machine;
  const count = memory.int32('zend.refusalCount', 2);
  const kept = memory.float64('zend.refusals', KEPT * FIELDS);

  function keep(t: ThreadSlot, kind: number, number: Bytes, tried: Bytes): void {
    const index = Atomics.add(count, 0, 1);
    if (index < KEPT) kept.set([t, kind, number, tried], index * FIELDS);
  }

  function text(index: number): string {
    const [, kind, number, tried] = kept.subarray(index * FIELDS, (index + 1) * FIELDS);
    if (kind === LIMIT) return `Allowed memory size of ${number} bytes exhausted (tried to allocate ${tried} bytes)`;
    if (kind === OVERFLOW) return `Possible integer overflow in memory allocation (${number} * ${tried} + 0)`;
    return `Out of memory (allocated ${number}${outOfMemoryUnit}) (tried to allocate ${tried} bytes)`;
  }

  return {
    overLimit: (t: ThreadSlot, limit: Bytes, tried: Bytes): void => keep(t, LIMIT, limit, tried),
    outOfMemory: (t: ThreadSlot, allocated: Bytes, tried: Bytes): void => keep(t, OUT_OF_MEMORY, allocated, tried),
    overflow: (t: ThreadSlot, members: number, size: Bytes): void => keep(t, OVERFLOW, members, size),
    count: (): number => count[0]!,
    /** Thread slot and message of each, in order. */
    list: (): AllocatorStats[] =>
      Array.from({ length: Math.min(count[0]!, KEPT) }, (_, i) => ({ thread: kept[i * FIELDS]!, message: text(i) })),
  };
}
