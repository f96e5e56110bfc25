import { assert } from '../../sim/contract/assert.ts';
import type { LockId } from '../../sim/contract/locks.ts';
import * as layout from './arena-layout.ts';
import { initBins } from './arena-layout.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import * as places from './context.ts';
import type { Heaps } from './heap.ts';
import * as heapLayout from './heap.ts';
import * as par from './parameters.ts';

export type Arenas = ReturnType<typeof createArenas>;

/** Which arena a thread allocates from; so many are `expected`. */
export function createArenas(context: Context, heapsApi: Heaps, expected: number) {
  const { MAIN_ARENA } = places;
  const {
    ARENA_WORDS,
    ATTACHED_THREADS,
    CHUNK_FLAGS,
    FLAGS,
    MALLOC_STATE_BYTES,
    MAX_SYSTEM_PAGES,
    MUTEX,
    NEXT_ARENA,
    NEXT_FREE,
    NONCONTIGUOUS,
    NUMBER,
    SYSTEM_PAGES,
  } = layout;
  const { NON_MAIN, SIZE } = chunk;
  const { HEAP_ARENA, HEAP_PAGES } = heapLayout;
  const { ARENA_MAX, ARENA_TEST, ARENAS_PER_CPU, FREE_LIST, NARENAS, NARENAS_LIMIT, NEXT_TO_USE } = par;
  const { words, chunks, machine, parameters, threadArena } = context;
  const { locks, memory } = machine;
  const { acquire, release, tryAcquire } = locks;
  const { ints } = parameters;
  const { heapInfoBytes } = context.features;
  const { heaps, heapOf, newHeap, setTop } = heapsApi;

  // Workers of one run must create locks in the same order, so all that the limit lets expect are made beforehand.
  const mutexes: LockId[] = [locks.create('main_arena.mutex', 'futex')];
  const listLock = locks.create('list_lock', 'futex');
  const freeListLock = locks.create('free_list_lock', 'futex');
  for (let number = 1; number < expected; number++) mutexes.push(arenaMutex(number));
  if (!memory.attached) {
    words[MAIN_ARENA + MUTEX] = mutexes[0]!;
    words[MAIN_ARENA + NEXT_ARENA] = MAIN_ARENA;
    words[MAIN_ARENA + ATTACHED_THREADS] = 1;
    threadArena[0] = MAIN_ARENA;
    ints[NARENAS] = 1;
  }

  function arenaMutex(number: number): LockId {
    return locks.create(`arena ${number} mutex`, 'futex');
  }

  /** arena_for_chunk(), of a chunk that is in use. */
  function arenaForChunk(p: number): number {
    return (words[p + SIZE]! & NON_MAIN) === 0 ? MAIN_ARENA : heaps[heapOf(p) + HEAP_ARENA]!;
  }

  function detachArena(arena: number): void {
    if (arena !== 0) words[arena + ATTACHED_THREADS]!--;
  }

  /** arena_get(): the thread's arena or a new one for it, locked; 0 where there is no memory for one. */
  function arenaGet(t: number, bytes: number): number {
    const arena = threadArena[t]!;
    if (arena === 0) return arenaGet2(t, bytes, 0);
    acquire(t, words[arena + MUTEX]!);
    return arena;
  }

  /** How many arenas there may be: known once there are some, or it is an option. */
  function setLimit(): void {
    if (ints[NARENAS_LIMIT] !== 0) return;
    if (ints[ARENA_MAX] !== 0) ints[NARENAS_LIMIT] = ints[ARENA_MAX]!;
    else if (ints[NARENAS]! > ints[ARENA_TEST]!) ints[NARENAS_LIMIT] = machine.cpus * ARENAS_PER_CPU;
  }

  /** Whether there may be one more; a limit of 0 is none. */
  function isBelowLimit(count: number): boolean {
    return ints[NARENAS_LIMIT] === 0 || count <= ints[NARENAS_LIMIT]! - 1;
  }

  /** arena_get2(): one without a thread, else a new one, else one that others use too. */
  function arenaGet2(t: number, bytes: number, avoid: number): number {
    const free = getFreeList(t);
    if (free !== 0) return free;
    setLimit();
    for (;;) {
      const count = ints[NARENAS]!;
      if (!isBelowLimit(count)) return reusedArena(t, avoid);
      if (Atomics.compareExchange(ints, NARENAS, count, count + 1) !== count) continue;
      const arena = intNewArena(t, bytes, count);
      if (arena === 0) Atomics.sub(ints, NARENAS, 1);
      return arena;
    }
  }

  /** _int_new_arena() */
  function intNewArena(t: number, bytes: number, number: number): number {
    const overhead = heapInfoBytes + MALLOC_STATE_BYTES + 16;
    // A size that no heap can hold: a small heap, and the request will be mapped.
    const heap = newHeap(t, bytes + overhead) || newHeap(t, overhead);
    if (heap === 0) return 0;
    const arena = chunks.reserve(ARENA_WORDS);
    initBins(words, arena);
    words[arena + FLAGS] = NONCONTIGUOUS;
    words[arena + CHUNK_FLAGS] = NON_MAIN;
    words[arena + ATTACHED_THREADS] = 1;
    words[arena + SYSTEM_PAGES] = heaps[heap + HEAP_PAGES]!;
    words[arena + MAX_SYSTEM_PAGES] = heaps[heap + HEAP_PAGES]!;
    words[arena + NUMBER] = number;
    words[arena + MUTEX] = mutexes[number] ??= arenaMutex(number);
    setTop(arena, heap, (heapInfoBytes + MALLOC_STATE_BYTES + 8) / 16);
    const replaced = threadArena[t]!;
    threadArena[t] = arena;

    acquire(t, listLock);
    words[arena + NEXT_ARENA] = words[MAIN_ARENA + NEXT_ARENA]!;
    words[MAIN_ARENA + NEXT_ARENA] = arena;
    release(t, listLock);
    acquire(t, freeListLock);
    detachArena(replaced);
    release(t, freeListLock);
    acquire(t, words[arena + MUTEX]!);
    return arena;
  }

  /** get_free_list() */
  function getFreeList(t: number): number {
    if (ints[FREE_LIST] === 0) return 0;
    acquire(t, freeListLock);
    const arena = ints[FREE_LIST]!;
    if (arena !== 0) {
      ints[FREE_LIST] = words[arena + NEXT_FREE]!;
      assert(words[arena + ATTACHED_THREADS] === 0, 'an arena on the free list has threads');
      words[arena + ATTACHED_THREADS] = 1;
      detachArena(threadArena[t]!);
    }
    release(t, freeListLock);
    if (arena !== 0) {
      acquire(t, words[arena + MUTEX]!);
      threadArena[t] = arena;
    }
    return arena;
  }

  function removeFromFreeList(arena: number): void {
    let previous = 0;
    for (let p = ints[FREE_LIST]!; p !== 0; p = words[p + NEXT_FREE]!) {
      if (p === arena) {
        if (previous === 0) ints[FREE_LIST] = words[p + NEXT_FREE]!;
        else words[previous + NEXT_FREE] = words[p + NEXT_FREE]!;
        return;
      }
      previous = p;
    }
  }

  /** The first half of reused_arena(): its arena, locked. */
  function lockedArena(t: number, avoid: number): number {
    const start = ints[NEXT_TO_USE] || MAIN_ARENA;
    let arena = start;
    do {
      if (tryAcquire(t, words[arena + MUTEX]!)) return arena;
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== start);
    if (arena === avoid) arena = words[arena + NEXT_ARENA]!;
    acquire(t, words[arena + MUTEX]!);
    return arena;
  }

  /** reused_arena(): the next in turn whose lock is free, else the next in turn. */
  function reusedArena(t: number, avoid: number): number {
    const arena = lockedArena(t, avoid);
    acquire(t, freeListLock);
    detachArena(threadArena[t]!);
    removeFromFreeList(arena);
    words[arena + ATTACHED_THREADS]!++;
    release(t, freeListLock);
    threadArena[t] = arena;
    ints[NEXT_TO_USE] = words[arena + NEXT_ARENA]!;
    return arena;
  }

  /** arena_get_retry(): another arena after `failed`, which is locked and gets unlocked. */
  function arenaGetRetry(t: number, failed: number, bytes: number): number {
    release(t, words[failed + MUTEX]!);
    if (failed === MAIN_ARENA) return arenaGet2(t, bytes, failed);
    acquire(t, words[MAIN_ARENA + MUTEX]!);
    return MAIN_ARENA;
  }

  /** The second half of __malloc_arena_thread_freeres(): the last thread of an arena leaves it to the free list. */
  function detachThread(t: number): void {
    const arena = threadArena[t]!;
    threadArena[t] = 0;
    if (arena === 0) return;
    acquire(t, freeListLock);
    if (--words[arena + ATTACHED_THREADS]! === 0) {
      words[arena + NEXT_FREE] = ints[FREE_LIST]!;
      ints[FREE_LIST] = arena;
    }
    release(t, freeListLock);
  }

  /**
   * __malloc_fork_unlock_child(): of the threads `t` alone is left, and every arena but its own is free for threads to
   * come. What the others had in their caches stays there for good.
   */
  function forkUnlockChild(t: number): void {
    const own = threadArena[t]!;
    threadArena.fill(0);
    threadArena[t] = own;
    ints[FREE_LIST] = 0;
    if (own !== 0) words[own + ATTACHED_THREADS] = 1;
    let arena = MAIN_ARENA;
    do {
      if (arena !== own) {
        words[arena + ATTACHED_THREADS] = 0;
        words[arena + NEXT_FREE] = ints[FREE_LIST]!;
        ints[FREE_LIST] = arena;
      }
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== MAIN_ARENA);
  }

  /** No arena that was not expected is there. */
  function forgetUnexpected(): void {
    mutexes.length = expected;
  }

  return { arenaForChunk, arenaGet, arenaGetRetry, detachThread, forgetUnexpected, forkUnlockChild };
}
