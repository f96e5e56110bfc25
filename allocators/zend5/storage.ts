import type { Allocator, Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { UserError } from '../../sim/contract/assert.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import { type Kernel, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { UNIT } from './layout.ts';

/** Where addresses in units are no 32-bit numbers any more. */
const UNITS_END: Addr = 2 ** 32 * UNIT;

export type StorageType = 'malloc' | 'mmap_anon' | 'mmap_zero';

/** Where segments come from (zend_mm_mem_handlers). A segment is named by a number that only its storage understands. */
export interface Storage {
  /** 0 is "no memory". */
  readonly allocate: (t: ThreadSlot, size: Bytes) => number;
  /** May move it; 0 is "no memory", and the segment stays as it is. */
  readonly resize: (t: ThreadSlot, segment: number, oldSize: Bytes, size: Bytes) => number;
  readonly release: (t: ThreadSlot, segment: number, size: Bytes) => void;
  /** Address in units of 8 bytes. */
  readonly unitOf: (segment: number) => number;
}

export function createStorage(type: StorageType, below: Allocator, kernel: Kernel): Storage {
  return type === 'malloc' ? mallocStorage(below, kernel) : mmapStorage(kernel);
}

function mallocStorage(below: Allocator, kernel: Kernel): Storage {
  /** Blocks lie in a segment by their addresses in units, which the far area is beyond; the layer below may have pages of it left. */
  function near(call: () => Handle): Handle {
    kernel.needAddresses(true);
    const handle = call();
    kernel.needAddresses(false);
    if (handle === 0 || below.addressOf(handle) < UNITS_END) return handle;
    throw new UserError(
      'a segment of PHP 5 lies in what a block of 4 GiB or more has left over: found it beyond the 32 GiB of addresses that blocks in segments have here',
    );
  }

  return {
    allocate: (t, size) => near(() => below.malloc(t, size)),
    resize: (t, handle: Handle, _oldSize, size) => near(() => below.realloc(t, handle, size)),
    release: (t, handle) => below.free(t, handle),
    unitOf: (handle) => below.addressOf(handle) / UNIT,
  };
}

/** A segment is its first page. /dev/zero mapped privately is anonymous memory too. */
function mmapStorage(kernel: Kernel): Storage {
  const pagesOf = (size: Bytes) => Math.ceil(size / 4096);
  const READ_WRITE = PROT_READ | PROT_WRITE;

  function allocate(t: ThreadSlot, size: Bytes): number {
    return Math.max(0, kernel.mmap(t, 0, pagesOf(size), READ_WRITE, 0));
  }

  function resize(t: ThreadSlot, page: number, oldSize: Bytes, size: Bytes): number {
    const moved = kernel.mremap(t, page, pagesOf(oldSize), pagesOf(size), true);
    if (moved >= 0) return moved;
    // Without mremap: a new mapping, a copy, and the old one goes.
    const copy = allocate(t, size);
    if (copy === 0) return 0;
    const copied = pagesOf(Math.min(oldSize, size));
    kernel.readRange(page, page + copied - 1);
    kernel.touchRange(copy, copy + copied - 1);
    kernel.munmap(t, page, pagesOf(oldSize));
    return copy;
  }

  return {
    allocate,
    resize,
    release: (t, page, size) => void kernel.munmap(t, page, pagesOf(size)),
    unitOf: (page) => page * (4096 / UNIT),
  };
}
