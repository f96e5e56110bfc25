import {
  type EventBuffer,
  exactA,
  exactB,
  MALLOPT_NAMES,
  MARK_FAILED,
  MARK_UNWRITTEN,
  markOf,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_CREATE,
  OP_CTL,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_JOIN,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
} from '../../sim/contract/event.ts';
import { type Mallctl, setsValue, unpackMallctl } from '../../sim/contract/mallctl.ts';
import { createTraceCompiler } from './compiler/compiler.ts';
import type { Annotation } from './compiler/trace-compiler.ts';

export interface CutOptions {
  /** Event numbers: the part is [from, to). */
  readonly from: number;
  readonly to: number;
  /** Only what these thread numbers do, and what others do to blocks that they allocated. */
  readonly threads?: ReadonlySet<number>;
  /**
   * Blocks that are live where the part begins: `prefix` allocates them before its first event, in the order of their
   * allocation and at their size by then; `drop` leaves out everything that happens to them.
   */
  readonly live: 'prefix' | 'drop';
}

/** A block of the whole trace: what the part must know to have it too. */
interface Block {
  readonly row: number;
  readonly thread: number;
  readonly kind: number;
  readonly align: number;
  size: number;
  readonly site: number;
  readonly isUnwritten: boolean;
  /** What was written into it before the part, where %touch does not say it: offsets and lengths. */
  readonly writes: number[] | undefined;
}

/**
 * A part of a trace that is a trace itself. Threads that are alive where it begins begin before its first event, in
 * their old order; mallopt calls from before the part are kept, since they are in force; open requests are opened.
 */
export function cutTrace(events: EventBuffer, options: CutOptions): EventBuffer {
  const { head, slot, a, b, begins, labels, requestFrees, marks, sites, observations } = events;
  const { threads } = options;
  const from = Math.min(options.from, events.length);
  const to = Math.min(options.to, events.length);
  const out = createTraceCompiler({ rows: to - from + 1024 });
  const keeps = (thread: number) => threads === undefined || threads.has(thread);

  // The state of the whole trace, by slot.
  const blocks: (Block | undefined)[] = [];
  const threadId: number[] = [0];
  const alive = new Set<number>([0]);
  const inRequest = new Set<number>();
  const mallctls: { readonly thread: number; readonly call: Mallctl }[] = [];
  const mallopts: { thread: number; name: (typeof MALLOPT_NAMES)[number]; value: number }[] = [];
  /** Slots whose present block is part of the cut. */
  const kept: boolean[] = [];
  let nextBegin = 0;
  let nextObservation = 0;
  for (const frame of events.frames.slice(1)) out.addFrame(frame);
  for (let site = 1; site < events.siteFrame.length; site++) {
    out.addSite(events.siteParent[site]!, events.siteFrame[site]!);
  }

  for (let row = 0; row < to; row++) {
    if (row === from) startPart();
    for (; nextBegin < begins.length && begins[nextBegin]!.row === row; nextBegin++) {
      const { thread, id } = begins[nextBegin]!;
      threadId[thread] = id;
      alive.add(id);
    }
    follow(row);
  }
  return out.finish({
    touch: events.touch,
    name: `${events.name}${events.name && ', '}events ${from} to ${to - 1}`,
    source: events.source,
    recorded: events.recorded,
  });

  function startPart(): void {
    for (const thread of alive) if (thread !== 0 && keeps(thread)) out.threadBegin(thread);
    for (const { thread, name, value } of mallopts) if (keeps(thread)) out.mallopt(actor(thread), name, value);
    for (const { thread, call } of mallctls) if (keeps(thread)) out.mallctl(actor(thread), call);
    for (const thread of inRequest) if (keeps(thread)) out.requestBegin(thread);
    if (options.live === 'drop') return;
    const live = [...blocks.entries()].filter(([, block]) => block && keeps(block.thread));
    live.sort(([, x], [, y]) => x!.row - y!.row);
    for (const [s, block] of live) {
      // A request's block stays with its thread number even where that thread has exited: so does its list.
      const isRequestBlock = block!.kind === OP_EMALLOC || block!.kind === OP_ECALLOC;
      const thread = isRequestBlock ? block!.thread : actor(block!.thread);
      out.annotate({ site: block!.site, unwritten: block!.isUnwritten });
      allocate(block!.kind, thread, s, block!);
      const writes = block!.writes ?? [];
      for (let i = 0; i < writes.length; i += 2) out.write(thread, s, writes[i]!, writes[i + 1]!);
      kept[s] = true;
    }
  }

  /** Who stands for a thread of before the part: itself, or the main thread where it has exited. */
  function actor(thread: number): number {
    return alive.has(thread) ? thread : 0;
  }

  function allocate(kind: number, thread: number, s: number, { size, align }: { size: number; align: number }): void {
    if (kind === OP_CALLOC) out.calloc(thread, s, 1, size);
    else if (kind === OP_MEMALIGN) out.memalign(thread, s, align, size);
    else if (kind === OP_EMALLOC) out.emalloc(thread, s, size);
    else if (kind === OP_ECALLOC) out.ecalloc(thread, s, 1, size);
    else out.malloc(thread, s, size);
  }

  /** What the row has beside its arguments. */
  function annotationOf(row: number): Required<Annotation> {
    const flags = (head[row]! & OP_MARKED) === 0 ? 0 : marks.flags[markOf(marks, row)]!;
    return {
      site: sites ? sites[row]! : 0,
      failed: (flags & MARK_FAILED) !== 0,
      unwritten: (flags & MARK_UNWRITTEN) !== 0,
    };
  }

  /** An allocation that failed in the recorded program. */
  function copyFailure(row: number, annotation: Annotation): void {
    const op = head[row]! & OP_MASK;
    const thread = threadId[head[row]! >>> OP_BITS]!;
    if (row < from || !keeps(thread)) return;
    const s = slot[row]!;
    if (s !== 0 && !kept[s]) return;
    out.annotate(annotation);
    if (s === 0) copyAllocation(op, thread, s, exactA(events, row), exactB(events, row));
    else (op === OP_REALLOC ? out.realloc : out.erealloc)(thread, s, exactA(events, row));
  }

  /** Moves the state on by one event, which is copied where it lies in the part. */
  /** Moves the state on by one event, which is copied where it lies in the part. */
  function follow(row: number): void {
    const op = head[row]! & OP_MASK;
    const thread = threadId[head[row]! >>> OP_BITS]!;
    const s = slot[row]!;
    const inPart = row >= from;
    const annotation = annotationOf(row);
    if (annotation.failed) {
      copyFailure(row, annotation);
      return;
    }
    switch (op) {
      case OP_MALLOC:
      case OP_CALLOC:
      case OP_MEMALIGN:
      case OP_EMALLOC:
      case OP_ECALLOC: {
        const isCalloc = op === OP_CALLOC || op === OP_ECALLOC;
        const [first, second] = [exactA(events, row), exactB(events, row)];
        const size = isCalloc ? first * second : op === OP_MEMALIGN ? second : first;
        const isUnwritten = annotation.unwritten;
        const writes = (isUnwritten || events.touch !== 'full') && !inPart ? [] : undefined;
        const align = op === OP_MEMALIGN ? first : 0;
        blocks[s] = { row, thread, kind: op, align, size, site: annotation.site, isUnwritten, writes };
        kept[s] = inPart && keeps(thread);
        if (!kept[s]) break;
        out.annotate(annotation);
        copyAllocation(op, thread, s, first, second);
        break;
      }
      case OP_REALLOC:
      case OP_EREALLOC:
        if (kept[s]) {
          out.annotate(annotation);
          (op === OP_REALLOC ? out.realloc : out.erealloc)(thread, s, exactA(events, row));
        }
        if (a[row] === 0) blocks[s] = undefined;
        else blocks[s]!.size = exactA(events, row);
        break;
      case OP_FREE:
      case OP_EFREE:
        if (kept[s]) (op === OP_FREE ? out.free : out.efree)(thread, s);
        blocks[s] = undefined;
        break;
      case OP_WRITE:
        if (kept[s]) out.write(thread, s, exactA(events, row), exactB(events, row));
        else if (!inPart) blocks[s]!.writes?.push(exactA(events, row), exactB(events, row));
        break;
      default:
        followOther(row, op, thread, inPart);
    }
  }

  /** An event that is about no block of its own. */
  function followOther(row: number, op: number, thread: number, inPart: boolean): void {
    switch (op) {
      case OP_REQUEST_BEGIN:
        inRequest.add(thread);
        if (inPart && keeps(thread)) out.requestBegin(thread);
        break;
      case OP_REQUEST_END:
        inRequest.delete(thread);
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) blocks[requestFrees[i]!] = undefined;
        if (inPart && keeps(thread)) out.requestEnd(thread);
        break;
      case OP_TRIM:
        if (inPart && keeps(thread)) out.trim(thread, exactA(events, row));
        break;
      case OP_OPT: {
        const option = { thread, name: MALLOPT_NAMES[slot[row]!]!, value: a[row]! | 0 };
        if (!inPart) mallopts.push(option);
        else if (keeps(thread)) out.mallopt(thread, option.name, option.value);
        break;
      }
      case OP_CTL: {
        const call = unpackMallctl(a[row]!, b[row]!)!;
        if (inPart && keeps(thread)) out.mallctl(thread, call);
        else if (!inPart && setsValue(call.name)) mallctls.push({ thread, call });
        break;
      }
      case OP_CLOCK:
        if (inPart) out.clock(b[row]! * 2 ** 32 + a[row]!);
        break;
      case OP_SAMPLE:
        while (observations[nextObservation] && observations[nextObservation]!.row < row) nextObservation++;
        if (!inPart) break;
        out.sample(labels[a[row]!]!);
        if (observations[nextObservation]?.row === row) out.observe(observations[nextObservation]!.values);
        break;
      case OP_EXIT:
        if (inPart) out.exit(keeps(thread) ? thread : 0);
        break;
      case OP_FORK:
        alive.clear();
        alive.add(thread);
        for (const id of [...inRequest]) if (id !== thread) inRequest.delete(id);
        if (inPart) out.fork(thread);
        break;
      case OP_GC:
        if (inPart && keeps(thread)) out.gc(thread);
        break;
      case OP_SHUTDOWN:
        if (inPart && keeps(thread)) out.shutdown(thread);
        break;
      case OP_CREATE:
        if (inPart && keeps(thread)) out.threadCreate(thread, a[row]!);
        break;
      case OP_JOIN:
        if (inPart && keeps(thread)) out.threadJoin(thread, a[row]!, b[row]!);
        break;
      case OP_THREAD_BEGIN:
        if (inPart && keeps(thread)) out.threadBegin(thread);
        break;
      case OP_THREAD_EXIT:
        alive.delete(thread);
        inRequest.delete(thread);
        if (inPart && (keeps(thread) || out.isAlive(thread))) out.threadExit(thread);
        break;
      default:
    }
  }

  function copyAllocation(op: number, thread: number, s: number, first: number, second: number): void {
    if (op === OP_MALLOC) out.malloc(thread, s, first);
    else if (op === OP_CALLOC) out.calloc(thread, s, first, second);
    else if (op === OP_MEMALIGN) out.memalign(thread, s, first, second);
    else if (op === OP_EMALLOC) out.emalloc(thread, s, first);
    else out.ecalloc(thread, s, first, second);
  }
}
