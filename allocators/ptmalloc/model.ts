import type { Allocator } from '../../sim/contract/allocator.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { OptionValues } from '../model.ts';
import { createArenas } from './arena.ts';
import * as layout from './arena-layout.ts';
import { createBins } from './bins.ts';
import { createCalloc } from './calloc.ts';
import { createCheck } from './check.ts';
import * as places from './context.ts';
import { createContext } from './context.ts';
import { createDecidingState } from './deciding-state.ts';
import { createFollowedBins } from './followed-bins.ts';
import { createFreeStale } from './free-stale.ts';
import { createHeaps } from './heap.ts';
import { createIntFree } from './int-free.ts';
import { createIntMalloc } from './int-malloc.ts';
import { createMalloc } from './malloc.ts';
import { createMapped } from './mapped.ts';
import { createMemalign } from './memalign.ts';
import { createMorecore } from './morecore.ts';
import { expectedArenas, initParameters, setParameter } from './options.ts';
import * as par from './parameters.ts';
import { createRealloc } from './realloc.ts';
import { createStats } from './stats.ts';
import { createSystemMalloc } from './sysmalloc.ts';
import { createTrim } from './trim.ts';
import { featuresOf } from './version.ts';
import { createWalk } from './walk.ts';

/** What options ask for that the model does not have. */
function notModelled(given: OptionValues): string[] {
  const lines: string[] = [];
  if (given['check'])
    lines.push('glibc.malloc.check: needs libc_malloc_debug.so, which is not modelled; without it, it does nothing');
  if (Number(given['hugetlb'] ?? 0) >= 2)
    lines.push('glibc.malloc.hugetlb: the simulated machine has no huge pages reserved, so MAP_HUGETLB fails');
  return lines;
}

/**
 * Whoever hands out a chunk of at most a page has written the size in front of it and the size, or its PREV_INUSE bit, of
 * the chunk behind it: what lies between is on one of these two pages. Of a mapped chunk so much is on its first page.
 */
const SELF_TOUCHED_BYTES = 4080;

/** The public functions of malloc.c over the parts; state lies in the machine's memory alone. */
export function createGlibc(machine: Machine, version: string, given: OptionValues): Allocator {
  const { MAIN_ARENA } = places;
  const { MUTEX } = layout;
  const { MMAP_THRESHOLD, MULTI_THREADED, NO_DYN_THRESHOLD, TOP_PAD, TRIM_THRESHOLD } = par;
  const features = featuresOf(version);
  const context = createContext(machine, features);
  const { words, parameters } = context;
  const { kernel, memory } = machine;
  const { acquire, release } = machine.locks;
  const { ints, doubles } = parameters;
  if (!memory.attached) initParameters(parameters, features, given, kernel.thp);
  const bins = createBins(context);
  const morecore = createMorecore(context);
  const heaps = createHeaps(context, bins);
  const arenas = createArenas(
    context,
    heaps,
    expectedArenas(features, given, { thp: kernel.thp, cpus: machine.cpus, threads: machine.threadSlots }),
  );
  const trimming = createTrim(context, bins, morecore);
  const freeing = createIntFree(context, bins, heaps, trimming);
  const mapped = createMapped(context);
  const systemMalloc = createSystemMalloc(context, bins, heaps, mapped, morecore, freeing);
  const { intMalloc } = createIntMalloc(context, bins, systemMalloc);
  const { intFree } = freeing;
  const { intMemalign } = createMemalign(context, bins, mapped, { ...freeing, intMalloc });

  const front = createMalloc(context, { arenas, mapped, intMalloc, intFree, intMemalign });
  const { malloc, memalign, free, mallocLocal, mallocSlow, freeLocal, freeSlow } = front;
  const { addressOf, touchBlock, usableSize, threadExit } = front;
  const { calloc } = createCalloc(context, { arenas, heaps, intMalloc }, front);
  const { realloc } = createRealloc(context, bins, mapped, arenas, { ...freeing, intMalloc }, front);

  function mallopt(t: number, name: string, value: number): void {
    acquire(t, words[MAIN_ARENA + MUTEX]!);
    bins.mallocConsolidate(t, MAIN_ARENA);
    setParameter(parameters, features, name, value);
    release(t, words[MAIN_ARENA + MUTEX]!);
  }

  let options = given;
  machine.boots?.(() => {
    arenas.forgetUnexpected();
    initParameters(parameters, features, options, kernel.thp);
  });
  // Real threads all start together: one may begin while the main thread is in the middle of a call, which pthread_create never is.
  if (!context.isAlone && machine.threadSlots > 1) ints[MULTI_THREADED] = 1;

  const followed = createFollowedBins(context, heaps);
  const walking = createWalk(context, heaps, systemMalloc, mapped, followed);
  return {
    name: `glibc-${version}`,
    malloc,
    calloc,
    realloc,
    memalign,
    free,
    addressOf,
    usableSize,
    touchBlock,
    selfTouchedBytes: SELF_TOUCHED_BYTES,
    mallocLocal,
    freeLocal,
    mallocNotLocal: mallocSlow,
    freeNotLocal: freeSlow,
    configure: (_options, next) => {
      options = next;
    },
    threadStart: (t) => {
      if (t !== 0) ints[MULTI_THREADED] = 1;
    },
    threadExit,
    forkChild: arenas.forkUnlockChild,
    trim: trimming.mallocTrim,
    mallopt,
    purge: (t) => {
      trimming.mallocTrim(t, 0);
    },
    freeStale: createFreeStale(context, walking),
    tunables: () => ({
      mmap_threshold: doubles[MMAP_THRESHOLD]!,
      trim_threshold: doubles[TRIM_THRESHOLD]!,
      top_pad: doubles[TOP_PAD]!,
      no_dyn_threshold: ints[NO_DYN_THRESHOLD]!,
    }),
    decidingState: createDecidingState(context, heaps, systemMalloc, walking),
    stats: createStats(context, heaps, followed),
    walk: walking.walk,
    walkFree: walking.walkFree,
    ...(context.isAlone && { followFree: walking.followFree }),
    areas: walking.areas,
    check: createCheck(context, heaps, mapped, walking),
    notModelled: () => notModelled(options),
  };
}
