import type { EventBuilder } from '../builder.ts';
import { type BlockContext, type BlockRecords, createBlockRecords } from './block-records.ts';
import { LOG, type LogRecord } from './log.ts';
import { USAGES, type ZendCounts } from './lookahead.ts';

/** Where PHP is asked for its numbers more often, only so many answers become samples, spread evenly. */
const SAMPLES_MAX = 128;
/** Of the Zend memory manager. */
const PAGE_BYTES = 4096;

/** PHP's own heap: one for each thread, with requests whose ends release all that is left. */
export function createZendRecords(builder: EventBuilder, context: BlockContext, counts: ZendCounts) {
  const heaps = new Map<number, BlockRecords>();
  /** Threads that have allocated, or begun a request, since their last one ended. */
  const open = new Set<number>();
  /** Threads that are in a request of PHP. */
  const serving = new Set<number>();
  const seen = { asked: 0, ends: 0, done: 0 };
  let requests = 0;
  let usage: { readonly label: string; readonly bytes: number; readonly real: number } | undefined;

  function heapOf(thread: number): BlockRecords {
    let heap = heaps.get(thread);
    if (!heap) {
      const { emalloc, ecalloc, erealloc, efree } = builder;
      const family = {
        allocate: emalloc,
        allocateCleared: ecalloc,
        resize: erealloc,
        free: efree,
        memalign: undefined,
      };
      heap = createBlockRecords(family, context);
      heaps.set(thread, heap);
    }
    return heap;
  }

  /** What PHP allocates before its first request, or between two, belongs to the next one. */
  function beginRequest(thread: number): void {
    if (open.has(thread)) return;
    open.add(thread);
    builder.requestBegin(thread);
  }

  /** Where the heap ends with it, what it holds is a request's end first. */
  function endRequest({ thread, a }: LogRecord): void {
    const isShutdown = a === 1;
    if (!isShutdown) beginRequest(thread);
    if (open.has(thread)) builder.requestEnd(thread);
    if (isShutdown) builder.shutdown(thread);
    open.delete(thread);
    serving.delete(thread);
    heaps.get(thread)?.forgetAll();
  }

  function noteUsage(r: LogRecord, isOwn: boolean): void {
    const kind = USAGES[r.address];
    usage = undefined;
    if (!kind) return;
    const number = seen[kind]++;
    const isRequest = kind === 'ends' && serving.has(r.thread);
    if (isRequest) requests++;
    const every = Math.ceil(counts[kind] / SAMPLES_MAX);
    if (!isOwn || number % every !== 0) return;
    const labels = {
      asked: `memory_get_usage ${number + 1}`,
      done: `script ${number + 1} done`,
      ends: isRequest ? `request ${requests}` : 'startup',
    };
    usage = { label: labels[kind], bytes: r.a, real: r.b };
  }

  function notePeaks(r: LogRecord): void {
    if (!usage) return;
    builder.sample(usage.label);
    builder.observe([
      ['memory_get_usage', usage.bytes],
      ['memory_get_usage_real', usage.real],
      ['memory_get_peak_usage', r.a],
      ['memory_get_peak_usage_real', r.b],
    ]);
  }

  function setLimit(r: LogRecord): void {
    const limit = Math.floor(r.a / PAGE_BYTES);
    // Whatever is more cannot be reached.
    builder.mallopt(r.thread, 'memory_limit', limit < 2 ** 31 ? limit : -1);
  }

  function event(r: LogRecord, isOwn: boolean): void {
    switch (r.op) {
      case LOG.REQUEST_BEGIN:
        serving.add(r.thread);
        beginRequest(r.thread);
        return;
      case LOG.REQUEST_END:
        endRequest(r);
        return;
      case LOG.ZEND_USAGE:
        noteUsage(r, isOwn);
        return;
      case LOG.ZEND_PEAK:
        notePeaks(r);
        return;
      case LOG.ZEND_LIMIT:
        setLimit(r);
        return;
    }
    beginRequest(r.thread);
    const heap = heapOf(r.thread);
    switch (r.op) {
      case LOG.EMALLOC:
        heap.allocate(r);
        return;
      case LOG.ECALLOC:
        heap.allocateCleared(r);
        return;
      case LOG.EREALLOC_BEGIN:
        heap.resizeBegin(r);
        return;
      case LOG.EREALLOC_END:
        heap.resizeEnd(r);
        return;
      case LOG.EFREE:
        heap.free(r);
        return;
      case LOG.GC:
        builder.gc(r.thread);
    }
  }

  return {
    event,
    at(address: number): number {
      for (const heap of heaps.values()) {
        const block = heap.at(address);
        if (block >= 0) return block;
      }
      return -1;
    },
    settleMoving: (): void => heaps.forEach((heap) => void heap.settleMoving()),
    finish: (): void => heaps.forEach((heap) => void heap.finish()),
    takeCalls: (): number => [...heaps.values()].reduce((sum, heap) => sum + heap.takeCalls(), 0),
  };
}

/** Whether it is a record of PHP's heap. */
export function isOfZend(op: number): boolean {
  return (op >= LOG.EMALLOC && op <= LOG.GC) || (op >= LOG.ZEND_USAGE && op <= LOG.ZEND_LIMIT);
}
