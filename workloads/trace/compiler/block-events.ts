import {
  MARK_FAILED,
  NUMBER_MAX,
  OP_CALLOC,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_SKIPPED,
  OP_STALE_FREE,
  OP_WRITE,
} from '../../../sim/contract/event.ts';
import type { Annotations } from './annotations.ts';
import type { CompilerState } from './common-events.ts';
import { U32_MAX } from './limits.ts';
import { MALLOC_OWNED } from './objects.ts';
import {
  ALIGNMENT_INVALID,
  BLOCK_TOO_LARGE,
  FINE,
  OBJECT_DEAD,
  OBJECT_LIVE,
  OBJECT_OF_EMALLOC,
  OBJECT_OF_MALLOC,
  type Refusal,
  SITE_UNKNOWN,
} from './refusal.ts';
import type { CompilerOptions, TraceCompiler } from './trace-compiler.ts';

/** Events whose slot is the object that they allocate or move. */
const ALLOCATING: ReadonlySet<number> = new Set([OP_MALLOC, OP_CALLOC, OP_MEMALIGN, OP_REALLOC]);

type BlockEvents = Pick<
  TraceCompiler,
  'malloc' | 'calloc' | 'realloc' | 'memalign' | 'free' | 'emalloc' | 'ecalloc' | 'erealloc' | 'efree' | 'write'
> & {
  /** An event of thread slot `t` that breaks a rule. */
  refuse(why: Refusal, t: number): Refusal;
  /** Events that were refused. */
  readonly skipped: number;
  /** Whether an event of a small object needs nothing but the tables. */
  readonly isSimple: boolean;
};

/** The events that are about a block, and their rules: what is live, and of which family it is. */
export function createBlockEvents(
  state: CompilerState,
  annotations: Annotations,
  { narrow, staleFrees }: CompilerOptions,
): BlockEvents {
  const { columns, objects, threads, requestBlocks } = state;
  const { ids } = objects;
  /** By object id, the row of its last free. */
  const freeRows = staleFrees ? new Map<number, number>() : undefined;
  let skipped = 0;

  function refuse(why: Refusal, t: number): Refusal {
    skipped++;
    annotations.forget();
    columns.emit(OP_SKIPPED, t, 0, 0, 0);
    return why;
  }

  function familyRefusal(s: number): Refusal {
    return objects.owner[s] === MALLOC_OWNED ? OBJECT_OF_MALLOC : OBJECT_OF_EMALLOC;
  }

  /** Arguments as they stand in the columns: a calloc of 2^32 bytes or more is one of one element. */
  function allocate(op: number, thread: number, id: number, bytes: number, first: number, second: number): Refusal {
    const t = threads.act(thread);
    if (ids.get(id) !== 0) return refuse(OBJECT_LIVE, t);
    if (!annotations.isPlain(Math.max(bytes, first, second))) {
      return allocateMarked(op, t, id, Math.min(bytes, NUMBER_MAX), first, second);
    }
    const s = objects.add(id, bytes);
    noteRequestBlock(op, s, id, t);
    columns.emit(op, t, s, first, second);
    return FINE;
  }

  function noteRequestBlock(op: number, s: number, id: number, t: number): void {
    if (op !== OP_EMALLOC && op !== OP_ECALLOC) return;
    state.hasRequestEvents = true;
    if (s !== 0) requestBlocks.append(threads.requestList(t), s, id);
  }

  function allocateMarked(op: number, t: number, id: number, bytes: number, first: number, second: number): Refusal {
    const problem = refusalOfMarked(bytes);
    if (problem !== FINE) return refuse(problem, t);
    const { flags } = annotations;
    const s = (flags & MARK_FAILED) === 0 ? objects.add(id, bytes) : 0;
    noteRequestBlock(op, s, id, t);
    const isWideCalloc = bytes > U32_MAX && (op === OP_CALLOC || op === OP_ECALLOC);
    if (isWideCalloc) annotations.emit(op, t, s, 1, bytes, flags);
    else annotations.emit(op, t, s, first, second, flags);
    return FINE;
  }

  function refusalOfMarked(bytes: number): Refusal {
    if (narrow && bytes > U32_MAX) return BLOCK_TOO_LARGE;
    return annotations.site > annotations.callSites.siteCount ? SITE_UNKNOWN : FINE;
  }

  /** In the compiled trace the realloc of a dead object is the malloc that it amounts to. */
  function resize(op: number, thread: number, id: number, bytes: number): Refusal {
    const s = ids.get(id);
    if (s === 0) return allocate(op === OP_REALLOC ? OP_MALLOC : OP_EMALLOC, thread, id, bytes, bytes, 0);
    const t = threads.act(thread);
    if ((op === OP_REALLOC) !== (objects.owner[s] === MALLOC_OWNED)) return refuse(familyRefusal(s), t);
    if (!annotations.isPlain(bytes)) return resizeMarked(op, t, id, s, bytes);
    columns.emit(op, t, s, bytes, Math.min(objects.sizeOf(s), U32_MAX));
    resizeObject(id, s, bytes);
    return FINE;
  }

  function resizeMarked(op: number, t: number, id: number, s: number, bytes: number): Refusal {
    const problem = refusalOfMarked(bytes);
    if (problem !== FINE) return refuse(problem, t);
    const { flags } = annotations;
    annotations.emit(op, t, s, bytes, objects.sizeOf(s), bytes === 0 ? flags & MARK_FAILED : flags);
    if ((flags & MARK_FAILED) === 0) resizeObject(id, s, bytes);
    return FINE;
  }

  function resizeObject(id: number, s: number, bytes: number): void {
    if (bytes === 0) drop(id, s);
    else objects.resize(s, bytes);
  }

  function drop(id: number, s: number): void {
    if (objects.owner[s] !== MALLOC_OWNED) requestBlocks.unlink(s);
    objects.remove(id, s);
  }

  function malloc(thread: number, id: number, bytes: number): Refusal {
    if (!annotations.isPlain(bytes)) return allocate(OP_MALLOC, thread, id, bytes, bytes, 0);
    const t = threads.act(thread);
    if (ids.get(id) !== 0) return refuse(OBJECT_LIVE, t);
    columns.emit(OP_MALLOC, t, objects.add(id, bytes), bytes, 0);
    return FINE;
  }

  function free(thread: number, id: number): Refusal {
    const t = threads.act(thread);
    const s = ids.get(id);
    if (s === 0) return freeDead(t, id);
    if (objects.owner[s] !== MALLOC_OWNED) return refuse(OBJECT_OF_EMALLOC, t);
    freeRows?.set(id, columns.length);
    columns.emit(OP_FREE, t, s, 0, 0);
    objects.remove(id, s);
    return FINE;
  }

  function freeDead(t: number, id: number): Refusal {
    const freed = freeRows?.get(id);
    if (freed === undefined) return refuse(OBJECT_DEAD, t);
    const { head, slot } = columns;
    let row = freed - 1;
    while (slot[row] !== slot[freed] || !ALLOCATING.has(head[row]! & OP_MASK)) row--;
    columns.emit(OP_STALE_FREE, t, 0, row, 0);
    return FINE;
  }

  function efree(thread: number, id: number): Refusal {
    const t = threads.act(thread);
    const s = ids.get(id);
    if (s === 0) return refuse(OBJECT_DEAD, t);
    if (objects.owner[s] === MALLOC_OWNED) return refuse(OBJECT_OF_MALLOC, t);
    state.hasRequestEvents = true;
    columns.emit(OP_EFREE, t, s, 0, 0);
    drop(id, s);
    return FINE;
  }

  function memalign(thread: number, id: number, align: number, bytes: number): Refusal {
    const real = Math.max(8, align);
    if (real > 2 ** 31 || (real & (real - 1)) !== 0) return refuse(ALIGNMENT_INVALID, threads.act(thread));
    return allocate(OP_MEMALIGN, thread, id, bytes, align, bytes);
  }

  function write(thread: number, id: number, offset: number, length: number): Refusal {
    const t = threads.act(thread);
    const s = ids.get(id);
    if (s === 0) return refuse(OBJECT_DEAD, t);
    const bytes = objects.sizeOf(s);
    const from = Math.min(offset, bytes);
    annotations.emit(OP_WRITE, t, s, from, Math.min(length, bytes - from), 0);
    return FINE;
  }

  return {
    malloc,
    calloc: (thread, id, count, each) => allocate(OP_CALLOC, thread, id, count * each, count, each),
    realloc: (thread, id, bytes) => resize(OP_REALLOC, thread, id, bytes),
    memalign,
    free,
    emalloc: (thread, id, bytes) => allocate(OP_EMALLOC, thread, id, bytes, bytes, 0),
    ecalloc: (thread, id, count, each) => allocate(OP_ECALLOC, thread, id, count * each, count, each),
    erealloc: (thread, id, bytes) => resize(OP_EREALLOC, thread, id, bytes),
    efree,
    write,
    refuse,
    get skipped() {
      return skipped;
    },
    get isSimple() {
      return freeRows === undefined && objects.wideSizes.size === 0;
    },
  };
}
