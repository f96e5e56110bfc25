import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, type Frame, NUMBER_MAX, type RecordedFacts } from '../../sim/contract/event.ts';
import { type BlockId, createEventBuilder } from '../builder.ts';
import { THREAD_ID_MAX } from '../trace/compiler/limits.ts';

/**
 * Events as tools report them, by addresses. An address names the block that was allocated there last; what makes no
 * sense, because the tool began late or lost something, is left out and counted. Numbers that no trace can have are a
 * UserError, whoever hands them over.
 */
export interface AddressTrace {
  /** `address` 0: the call failed, here and below. `site`: as `addSite` returned it, 0 for none. */
  malloc(thread: number, address: number, size: number, site?: number): void;
  calloc(thread: number, address: number, count: number, size: number): void;
  memalign(thread: number, address: number, align: number, size: number): void;
  free(thread: number, address: number): void;
  /** The two ends of a realloc, between which other threads may have been seen. */
  reallocBegin(thread: number, old: number): void;
  reallocEnd(thread: number, address: number, size: number): void;
  threadExit(thread: number): void;
  /** The time of what follows; steps below the quantum are not worth a line. */
  time(ns: number): void;
  sample(label: string): void;
  /** Something that cannot be in the trace. */
  odd(what: string): void;
  /** The next frame of call stacks; returns its number, from 1. */
  addFrame(frame: Frame): number;
  /** The next call site: a frame that was added, called from a site that was added (0: nobody). Returns its number, from 1. */
  addSite(parent: number, frame: number): number;
  readonly length: number;
  finish(recorded?: RecordedFacts): { readonly events: EventBuffer; readonly oddities: Oddities };
}

/** What was left out, or had to be guessed: words and how often. */
export type Oddities = Readonly<Record<string, number>>;

export interface AddressTraceOptions {
  readonly name: string;
  readonly source: string;
  readonly quantumNs: number;
  /** Where the running line is, for messages. */
  readonly place?: () => string;
}

/** More than any process on a 64-bit machine can have. */
const ADDRESS_SPACE_BYTES = 2 ** 48;
const ALIGN_MAX = 2 ** 31;

export function createAddressTrace({ name, source, quantumNs, place = () => name }: AddressTraceOptions): AddressTrace {
  const events = createEventBuilder({ name, source, wide: true });
  const blocks = new Map<number, BlockId>();
  /** By thread: the block whose realloc is under way, and where it was. */
  const moving = new Map<number, { readonly block: BlockId | undefined; readonly old: number }>();
  const oddities = new Map<string, number>();
  let start: number | undefined;
  let clock = 0;

  function odd(what: string): void {
    oddities.set(what, (oddities.get(what) ?? 0) + 1);
  }

  function checked(value: number, what: string, max: number = NUMBER_MAX): number {
    if (Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    throw new UserError(`${place()}: found ${what} ${value}, expected a whole number from 0 to ${max}`);
  }

  const checkedThread = (thread: number) => checked(thread, 'thread', THREAD_ID_MAX);

  /** Makes room at an address for a new block; whether the block can be in a trace. */
  function makeRoom(thread: number, address: number, bytes: number): boolean {
    checkedThread(thread);
    const lost = blocks.get(checked(address, 'address'));
    if (lost !== undefined && address !== 0) {
      odd('blocks whose free was not seen');
      free(thread, address);
    }
    const isPossible = bytes < ADDRESS_SPACE_BYTES || address === 0;
    if (!isPossible) odd('blocks larger than any address space');
    return isPossible;
  }

  /** A call whose block is at `address`, 0 where it has failed. */
  function allocate(address: number, site: number, call: () => BlockId): void {
    const failed = address === 0;
    if (failed || site !== 0) events.annotate({ site, failed });
    const block = call();
    if (!failed) blocks.set(address, block);
  }

  function free(thread: number, address: number): void {
    const block = blocks.get(checked(address, 'address'));
    if (block === undefined) {
      odd('frees of blocks that were not seen');
      return;
    }
    blocks.delete(address);
    events.free(checkedThread(thread), block);
  }

  function malloc(thread: number, address: number, size: number, site = 0): void {
    checked(size, 'size');
    if (makeRoom(thread, address, size)) allocate(address, site, () => events.malloc(thread, size));
  }

  function reallocEnd(thread: number, address: number, size: number): void {
    checked(size, 'size');
    const from = moving.get(thread);
    moving.delete(thread);
    if (from?.block === undefined) {
      odd('reallocs of blocks that were not seen');
      if (address !== 0) malloc(thread, address, size);
    } else if (address === 0 && size > 0) {
      events.annotate({ failed: true });
      events.realloc(checkedThread(thread), from.block, size);
      blocks.set(from.old, from.block);
    } else if (size > 0 && makeRoom(thread, address, size)) {
      events.realloc(thread, from.block, size);
      blocks.set(address, from.block);
    } else {
      events.free(checkedThread(thread), from.block);
    }
  }

  return {
    malloc,
    calloc(thread, address, count, size) {
      const bytes = checked(count, 'count') * checked(size, 'size');
      if (makeRoom(thread, address, bytes)) allocate(address, 0, () => events.calloc(thread, count, size));
    },
    memalign(thread, address, align, size) {
      checked(size, 'size');
      // memalign takes any number, and goes on with the next power of two.
      const rounded = align <= 8 ? 8 : 2 ** Math.ceil(Math.log2(checked(align, 'alignment')));
      if (rounded > ALIGN_MAX) odd('blocks with an alignment above 2 GiB');
      else if (makeRoom(thread, address, size)) allocate(address, 0, () => events.memalign(thread, rounded, size));
    },
    free,
    reallocBegin(thread, old) {
      moving.set(checkedThread(thread), { block: blocks.get(checked(old, 'address')), old });
      blocks.delete(old);
    },
    reallocEnd,
    threadExit: (thread) => events.threadExit(checkedThread(thread)),
    time(ns) {
      start ??= ns;
      const now = ns - start;
      if (now - clock < quantumNs) return;
      checked(now, 'nanoseconds since the beginning');
      events.clock(now - clock);
      clock = now;
    },
    sample: (label) => events.sample(label),
    odd,
    addFrame: events.addFrame,
    addSite: events.addSite,
    get length() {
      return events.length;
    },
    finish(recorded) {
      for (const { block } of moving.values()) if (block !== undefined) odd('reallocs without an end');
      return { events: events.finish(recorded), oddities: Object.fromEntries(oddities) };
    },
  };
}
