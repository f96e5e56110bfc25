import type { BlockId } from '../builder.ts';
import { BIG_BYTES } from '../trace/assumed-writes.ts';
import type { Annotation } from '../trace/compiler/trace-compiler.ts';
import { type AddressTable, createAddressTable } from './address-table.ts';
import { cutNumber, type LogRecord } from './log.ts';
import type { PageRun } from './page-runs.ts';
import { createUnseenWrites } from './unseen-writes.ts';

/** 2^32 - 1: the largest alignment that a trace can have is the power of two below. */
const ALIGNMENT_MAX = 2 ** 31;

/** What a family of calls writes into a trace: malloc … free, or emalloc … efree. */
export interface CallFamily {
  readonly allocate: (thread: number, size: number) => BlockId;
  readonly allocateCleared: (thread: number, count: number, size: number) => BlockId;
  readonly resize: (thread: number, block: BlockId, size: number) => void;
  readonly free: (thread: number, block: BlockId) => void;
  readonly memalign: ((thread: number, align: number, size: number) => BlockId) | undefined;
}

export interface BlockContext {
  readonly annotate: (annotation: Annotation) => void;
  readonly odd: (what: string) => void;
  /** The call site of what the thread allocates now; 0 where it is not known. */
  readonly siteOf: (thread: number) => number;
  /** Of the current record: what is written right after it, where that is known. */
  readonly writtenAtOnce: () => readonly PageRun[] | undefined;
  /** Nobody saw what is written to a large block; whether it is guessed, or is taken to be written as a whole. */
  readonly unseen: (size: number, isGuessed: boolean) => void;
  readonly write: (thread: number, block: BlockId, address: number, run: PageRun) => void;
  /** A block lies at the address. */
  readonly placed: (address: number, size: number) => void;
}

/** From the records of a log, whose blocks are addresses, to events of blocks. */
export function createBlockRecords(family: CallFamily, context: BlockContext) {
  const { annotate, odd, siteOf, write, placed } = context;
  let blocks: AddressTable = createAddressTable();
  /** By thread: the block whose realloc is under way (-1: it is not known), and where it was. */
  const moving = new Map<number, { readonly block: BlockId; readonly old: number }>();
  const unseenWrites = createUnseenWrites();
  let calls = 0;

  /** The pages of a large block that are written right after its allocation; undefined: as a rule. */
  function writesOf(op: number, size: number): readonly PageRun[] | undefined {
    const runs = context.writtenAtOnce();
    if (runs) {
      unseenWrites.see(op, size, runs);
      return runs;
    }
    const guessed = unseenWrites.guess(op, size);
    context.unseen(size, guessed !== undefined);
    return guessed;
  }

  function failed(thread: number): void {
    odd('allocations that failed');
    annotate({ failed: true, site: siteOf(thread) });
  }

  /** Before the event of a call that returned: makes room at the address; the pages that are known to be written. */
  function expect(r: LogRecord, size: number): readonly PageRun[] | undefined {
    calls++;
    if (r.address === 0) {
      failed(r.thread);
      return undefined;
    }
    const lost = blocks.get(r.address);
    if (lost >= 0) {
      odd('blocks whose free was not seen');
      blocks.take(r.address);
      family.free(r.thread, lost);
    }
    const runs = size >= BIG_BYTES ? writesOf(r.op, size) : undefined;
    const site = siteOf(r.thread);
    if (runs || site !== 0) annotate({ site, unwritten: runs !== undefined });
    return runs;
  }

  /** After it. */
  function settle(r: LogRecord, block: BlockId, size: number, runs: readonly PageRun[] | undefined): void {
    if (r.address === 0) return;
    blocks.set(r.address, block);
    placed(r.address, size);
    if (runs) for (const run of runs) write(r.thread, block, r.address, run);
  }

  function allocate(r: LogRecord, size: number): void {
    const runs = expect(r, size);
    settle(r, family.allocate(r.thread, size), size, runs);
  }

  function resize(r: LogRecord, from: { readonly block: BlockId; readonly old: number }, size: number): void {
    if (size === 0) {
      calls++;
      family.resize(r.thread, from.block, 0);
      if (r.address !== 0) allocate(r, 0); // not as glibc has it
    } else if (r.address === 0) {
      calls++;
      failed(r.thread);
      family.resize(r.thread, from.block, size);
      blocks.set(from.old, from.block);
    } else {
      const runs = expect(r, size);
      family.resize(r.thread, from.block, size);
      settle(r, from.block, size, runs);
    }
  }

  return {
    allocate: (r: LogRecord): void => allocate(r, cutNumber(r.a)),
    allocateCleared(r: LogRecord): void {
      const size = r.a * r.b;
      const runs = expect(r, size);
      settle(r, family.allocateCleared(r.thread, cutNumber(r.a), cutNumber(r.b)), size, runs);
    },
    memalign(r: LogRecord): void {
      const runs = expect(r, r.b);
      settle(r, family.memalign!(r.thread, powerOfTwo(r.a), cutNumber(r.b)), r.b, runs);
    },
    free(r: LogRecord): void {
      const block = blocks.take(r.address);
      calls++;
      if (block < 0) odd('frees of blocks that were not seen');
      else family.free(r.thread, block);
    },
    /** Gives the block up. */
    resizeBegin(r: LogRecord): void {
      moving.set(r.thread, { block: blocks.take(r.address), old: r.address });
    },
    resizeEnd(r: LogRecord): void {
      const from = moving.get(r.thread);
      moving.delete(r.thread);
      if (from && from.block >= 0) {
        resize(r, from, cutNumber(r.a));
      } else {
        odd('reallocs of blocks that were not seen');
        allocate(r, cutNumber(r.a));
      }
    },
    at: (address: number): BlockId => blocks.get(address),
    /** All blocks have gone at once. */
    forgetAll(): void {
      blocks = createAddressTable();
      moving.clear();
    },
    /** In a fork's child nobody finishes what other threads had begun. */
    settleMoving(): void {
      for (const { block, old } of moving.values()) if (block >= 0) blocks.set(old, block);
      moving.clear();
    },
    /** At the end of the log. */
    finish(): void {
      for (const { block } of moving.values()) if (block >= 0) odd('reallocs without an end');
    },
    /** Calls since it was last asked. */
    takeCalls(): number {
      const taken = calls;
      calls = 0;
      return taken;
    },
  };
}

export type BlockRecords = ReturnType<typeof createBlockRecords>;

/** memalign takes any number, and goes on with the next power of two. */
function powerOfTwo(alignment: number): number {
  if (alignment <= 8) return 8;
  return alignment >= ALIGNMENT_MAX ? ALIGNMENT_MAX : 2 ** (32 - Math.clz32(alignment - 1));
}
