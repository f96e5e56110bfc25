import type { Allocator, Handle, ThreadSlot } from '../contract/allocator.ts';
import { type Addr, type Bytes, PAGE_BYTES } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { TlbSettings } from './settings.ts';
import { createTlb, newTlbCounts, type Tlb, type TlbCounts } from './tlb.ts';

/** A data TLB for each thread, all counted together, fed by what the program does with its blocks. */
export interface TlbObserver {
  readonly settings: TlbSettings;
  readonly counts: TlbCounts;
  /** The same allocator, whose blocks' accesses are counted. */
  observe<A extends Allocator>(allocator: A): A;
  /** Whose accesses the next ones are. */
  runs(t: ThreadSlot): void;
}

/**
 * Accesses of the program alone, in file order: a block is written as `%touch` and `w` lines say, cleared by calloc, copied by a
 * realloc that moves it, and read `settings.reads` times from end to end before it is freed. Every thread has a processor of its own.
 */
export function createTlbObserver(kernel: Kernel, settings: TlbSettings): TlbObserver {
  const counts = newTlbCounts();
  const tlbs = new Map<ThreadSlot, Tlb>();
  const sizes = new Map<Handle, Bytes>();
  const { residency } = kernel;
  let tlb = tlbOf(0);

  function tlbOf(t: ThreadSlot): Tlb {
    let own = tlbs.get(t);
    if (!own) {
      own = createTlb(settings, counts);
      tlbs.set(t, own);
    }
    return own;
  }

  const runs = (t: ThreadSlot): void => {
    tlb = tlbOf(t);
  };

  kernel.residency.observeFlushes((start, end) => {
    for (const own of tlbs.values()) own.flush(start, end - start);
  });

  /** Bytes [from, to), after `faults` faults that they took. */
  function access(from: Addr, to: Addr, isStore: boolean, faults: number): void {
    let left = faults;
    for (let at = from; at < to; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const end = Math.min(to, (page + 1) * PAGE_BYTES);
      tlb.access(page, residency.isHuge(page), Math.ceil((end - at) / settings.step), isStore, left-- > 0);
      at = end;
    }
  }

  function observe<A extends Allocator>(allocator: A): A {
    const { addressOf } = allocator;
    const place = (h: Handle, from: Bytes, to: Bytes, isStore: boolean, faults = 0) => {
      const start = addressOf(h);
      access(start + from, start + to, isStore, faults);
    };
    const read = (h: Handle) => {
      for (let i = 0; i < settings.reads; i++) place(h, 0, sizes.get(h) ?? 0, false);
    };
    const keep = (h: Handle, size: Bytes): Handle => {
      if (h !== 0) sizes.set(h, size);
      return h;
    };
    const observed: A = {
      ...allocator,
      malloc(t: ThreadSlot, size: Bytes) {
        runs(t);
        return keep(allocator.malloc(t, size), size);
      },
      memalign(t: ThreadSlot, align: Bytes, size: Bytes) {
        runs(t);
        return keep(allocator.memalign(t, align, size), size);
      },
      calloc(t: ThreadSlot, count: number, size: Bytes) {
        runs(t);
        const faults = residency.faults();
        const h = keep(allocator.calloc(t, count, size), count * size);
        if (h !== 0) place(h, 0, count * size, true, residency.faults() - faults);
        return h;
      },
      realloc(t: ThreadSlot, h: Handle, size: Bytes) {
        runs(t);
        const before = addressOf(h);
        const old = Math.min(sizes.get(h) ?? 0, size);
        const faults = residency.faults();
        const moved = allocator.realloc(t, h, size);
        if (moved === 0) return 0;
        const after = addressOf(moved);
        if (after !== before) {
          access(before, before + old, false, 0);
          access(after, after + old, true, residency.faults() - faults);
        }
        if (moved !== h) sizes.delete(h);
        return keep(moved, size);
      },
      free(t: ThreadSlot, h: Handle) {
        runs(t);
        read(h);
        sizes.delete(h);
        allocator.free(t, h);
      },
      touchBlock(h: Handle, from: Bytes, to: Bytes) {
        const faults = residency.faults();
        allocator.touchBlock(h, from, to);
        place(h, from, to, true, residency.faults() - faults);
      },
    };
    delete observed.mallocTouched;
    delete (observed as { selfTouchedBytes?: Bytes }).selfTouchedBytes;
    return observed;
  }

  return { settings, counts, observe, runs };
}
