import type { EventBuffer } from '../../sim/contract/event.ts';
import { type BlockId, createEventBuilder } from '../builder.ts';
import { U32_MAX } from '../trace/compiler.ts';

/**
 * Events as tools report them, by addresses. An address names the block that was allocated there last; what makes no
 * sense, because the tool began late or lost something, is left out and counted.
 */
export interface AddressTrace {
  malloc(thread: number, address: number, size: number): void;
  calloc(thread: number, address: number, count: number, size: number): void;
  memalign(thread: number, address: number, align: number, size: number): void;
  free(thread: number, address: number): void;
  /** The two ends of a realloc, between which other threads may have been seen; `address` 0: it failed. */
  reallocBegin(thread: number, old: number): void;
  reallocEnd(thread: number, address: number, size: number): void;
  threadExit(thread: number): void;
  /** The time of what follows; steps below the quantum are not worth a line. */
  time(ns: number): void;
  sample(label: string): void;
  readonly length: number;
  finish(): { readonly events: EventBuffer; readonly oddities: Oddities };
}

/** What was left out, or had to be guessed: words and how often. */
export type Oddities = Readonly<Record<string, number>>;

export interface AddressTraceOptions {
  readonly name: string;
  readonly source: string;
  readonly quantumNs: number;
}

export function createAddressTrace({ name, source, quantumNs }: AddressTraceOptions): AddressTrace {
  const events = createEventBuilder({ name, source });
  const blocks = new Map<number, BlockId>();
  /** By thread: the block whose realloc is under way, and where it was. */
  const moving = new Map<number, { readonly block: BlockId | undefined; readonly old: number }>();
  const oddities: Record<string, number> = {};
  let clock: number | undefined;

  function odd(what: string): void {
    oddities[what] = (oddities[what] ?? 0) + 1;
  }

  /** Makes room at an address for a new block; whether the block can be in a trace. */
  function place(thread: number, address: number, bytes: number): boolean {
    const lost = blocks.get(address);
    if (lost !== undefined) {
      odd('blocks whose free was not seen');
      free(thread, address);
    }
    if (address === 0) odd('failed allocations');
    else if (bytes > U32_MAX) odd('blocks above 4 GiB');
    return address !== 0 && bytes <= U32_MAX;
  }

  function free(thread: number, address: number): void {
    const block = blocks.get(address);
    if (block === undefined) {
      odd('frees of blocks that were not seen');
      return;
    }
    blocks.delete(address);
    events.free(thread, block);
  }

  function malloc(thread: number, address: number, size: number): void {
    if (place(thread, address, size)) blocks.set(address, events.malloc(thread, size));
  }

  return {
    malloc,
    calloc(thread, address, count, size) {
      if (place(thread, address, count * size)) blocks.set(address, events.calloc(thread, count, size));
    },
    memalign(thread, address, align, size) {
      if (!place(thread, address, size)) return;
      // memalign takes any number, and goes on with the next power of two.
      const rounded = align <= 8 ? 8 : 2 ** (32 - Math.clz32(align - 1));
      blocks.set(address, events.memalign(thread, rounded, size));
    },
    free,
    reallocBegin(thread, old) {
      moving.set(thread, { block: blocks.get(old), old });
      blocks.delete(old);
    },
    reallocEnd(thread, address, size) {
      const from = moving.get(thread);
      moving.delete(thread);
      if (from?.block === undefined) {
        odd('reallocs of blocks that were not seen');
        malloc(thread, address, size);
      } else if (address === 0) {
        odd('failed allocations');
        blocks.set(from.old, from.block);
      } else if (place(thread, address, size)) {
        events.realloc(thread, from.block, size);
        blocks.set(address, from.block);
      } else {
        events.free(thread, from.block);
      }
    },
    threadExit: (thread) => events.threadExit(thread),
    time(ns) {
      clock ??= ns;
      if (ns - clock < quantumNs) return;
      events.clock(ns - clock);
      clock = ns;
    },
    sample: (label) => events.sample(label),
    get length() {
      return events.length;
    },
    finish() {
      for (const { block } of moving.values()) if (block !== undefined) odd('reallocs without an end');
      return { events: events.finish(), oddities };
    },
  };
}
