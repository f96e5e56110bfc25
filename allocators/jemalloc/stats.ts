import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import type { Heap } from './heap.ts';
import { CTL_ARENA_BYTES } from './layout.ts';
import { INDEX_SIZE, insertClass, NBINS, NPSIZES, PAGE, PAGE_CLASS, SLAB_PAGES, SLAB_REGIONS } from './size-classes.ts';
import {
  A_EDATA_COUNT,
  A_INTERNAL,
  A_MAPPED,
  A_NTHREADS,
  A_NTHREADS_INTERNAL,
  AC_ABANDONED,
  AC_BASE_ALLOCATED,
  AC_BASE_MAPPED,
  AC_BASE_RESIDENT,
  AC_BASE_THP,
  AC_CREATED,
  AC_DIRTY_NPURGE,
  AC_MUZZY_NPURGE,
  ARENA_COUNTERS,
  ARENA_LOCKS,
  ARENA_WORDS,
  BIN_COUNTERS,
  E_ARENA,
  E_PAGES,
  E_STATE,
  G_CTL_INITIALIZED,
  G_EXTENTS,
  G_THREADS,
  LARGE_CLASSES,
  LARGE_COUNTERS,
  LC_NDALLOC,
  LC_NFLUSHES,
  LC_NMALLOC,
  LC_NREQUESTS,
  LG_EXTENT_WORDS,
  LOCK_BINS,
  STATE_ACTIVE,
  STATE_DIRTY,
  STATE_MUZZY,
  T_CACHE_ARENA,
} from './state.ts';

/** bin_stats_t under the names of `stats.arenas.<i>.bins.<j>`, in the order of the BC_ constants. */
const BIN_NAMES = [
  'nmalloc',
  'ndalloc',
  'nrequests',
  'curregs',
  'nfills',
  'nflushes',
  'nslabs',
  'nreslabs',
  'curslabs',
  'nonfull_slabs',
] as const;

type Numbers = Record<string, number>;

/** By index; rows that would be all zero, which most are, are not there. */
type Rows = (Numbers | undefined)[];

interface ArenaStats {
  numbers: Numbers;
  small: Numbers;
  large: Numbers;
  bins: Rows;
  lextents: Rows;
  extents: Rows;
  mutexes: Record<string, Numbers>;
}

const SMALL_NAMES = ['allocated', 'nmalloc', 'ndalloc', 'nrequests', 'nfills', 'nflushes'];
const EXTENT_NAMES = ['ndirty', 'nmuzzy', 'nretained', 'dirty_bytes', 'muzzy_bytes', 'retained_bytes'];
const MUTEX_NAMES = ['num_ops', 'num_owner_switch'];

function zeros(names: readonly string[]): Numbers {
  return Object.fromEntries(names.map((name) => [name, 0]));
}

/** pa_shard nactive, which the model need not keep: pages of active extents, by arena. */
function activePages(heap: Heap): Float64Array {
  const { config, extents, globals } = heap.state;
  const active = new Float64Array(config.arenaSlots);
  for (let e = 1; e <= globals[G_EXTENTS]!; e++) {
    const p = e << LG_EXTENT_WORDS;
    if (extents[p + E_STATE] === STATE_ACTIVE) active[extents[p + E_ARENA]!]! += extents[p + E_PAGES]!;
  }
  return active;
}

/** arena_stats_merge and ctl_arena_stats_amerge: one arena. */
function arenaStats(heap: Heap, a: number, pactive: number): ArenaStats {
  const { state, eset, extents, pa, tcache } = heap;
  const { arenas, arenaCounters, binCounters, largeCounters, caches, threadWords } = state;
  const w = a * ARENA_WORDS;
  const c = a * ARENA_COUNTERS;
  const pdirty = pa.npages(a, STATE_DIRTY);

  const small = zeros(SMALL_NAMES);
  const bins: Rows = Array.from({ length: NBINS }, (_, i) => {
    const mutex = mutexStats(heap, state.arenaLocks[a * ARENA_LOCKS + LOCK_BINS + i]!);
    const p = (a * NBINS + i) * BIN_COUNTERS;
    if (mutex.num_ops === 0 && BIN_NAMES.every((_name, j) => binCounters[p + j] === 0)) return undefined;
    const row: Numbers = {};
    BIN_NAMES.forEach((name, j) => {
      row[name] = binCounters[p + j]!;
    });
    small['allocated']! += row['curregs']! * INDEX_SIZE[i]!;
    for (const name of SMALL_NAMES.slice(1)) small[name]! += row[name]!;
    return Object.assign(row, mutex);
  });

  const large = zeros(SMALL_NAMES);
  const lextents: Rows = Array.from({ length: LARGE_CLASSES }, (_, i) => {
    const p = (a * LARGE_CLASSES + i) * LARGE_COUNTERS;
    const nmalloc = largeCounters[p + LC_NMALLOC]!;
    const ndalloc = largeCounters[p + LC_NDALLOC]!;
    const nrequests = nmalloc + largeCounters[p + LC_NREQUESTS]!;
    const nflushes = largeCounters[p + LC_NFLUSHES]!;
    if (nrequests === 0 && ndalloc === 0 && nflushes === 0) return undefined;
    const row: Numbers = { nmalloc, ndalloc, nrequests, nfills: nmalloc, nflushes, curlextents: nmalloc - ndalloc };
    large['allocated']! += row['curlextents']! * INDEX_SIZE[NBINS + i]!;
    for (const name of SMALL_NAMES.slice(1)) large[name]! += row[name]!;
    return row;
  });

  const sets = [extents.dirtySet(a), extents.muzzySet(a), extents.retainedSet(a)];
  const byClass: Rows = Array.from({ length: NPSIZES }, () => undefined);
  sets.forEach((set, which) => {
    eset.forEach(set, (e) => {
      const pages = state.extents[(e << LG_EXTENT_WORDS) + E_PAGES]!;
      const row = (byClass[insertClass(pages)] ??= zeros(EXTENT_NAMES));
      row[EXTENT_NAMES[which]!]!++;
      row[EXTENT_NAMES[which + 3]!]! += pages * PAGE;
    });
  });

  let tcacheBytes = 0;
  for (let t = 0; t < state.globals[G_THREADS]!; t++) {
    if (caches[t * threadWords + T_CACHE_ARENA] === a + 1) tcacheBytes += tcache.cachedBytes(t);
  }

  const baseMapped = arenaCounters[c + AC_BASE_MAPPED]!;
  const numbers: Numbers = {
    nthreads: arenas[w + A_NTHREADS]!,
    nthreads_internal: arenas[w + A_NTHREADS_INTERNAL]!,
    uptime: state.nowNs() - arenaCounters[c + AC_CREATED]!,
    dirty_decay_ms: heap.decay.timeMs(a * 2),
    muzzy_decay_ms: heap.decay.timeMs(a * 2 + 1),
    pactive,
    pdirty,
    pmuzzy: pa.npages(a, STATE_MUZZY),
    mapped: baseMapped + arenas[w + A_MAPPED]! * PAGE,
    retained: eset.npages(sets[2]!) * PAGE,
    extent_avail: arenas[w + A_EDATA_COUNT]!,
    dirty_npurge: arenaCounters[c + AC_DIRTY_NPURGE]!,
    dirty_nmadvise: arenaCounters[c + AC_DIRTY_NPURGE + 1]!,
    dirty_purged: arenaCounters[c + AC_DIRTY_NPURGE + 2]!,
    muzzy_npurge: arenaCounters[c + AC_MUZZY_NPURGE]!,
    muzzy_nmadvise: arenaCounters[c + AC_MUZZY_NPURGE + 1]!,
    muzzy_purged: arenaCounters[c + AC_MUZZY_NPURGE + 2]!,
    base: arenaCounters[c + AC_BASE_ALLOCATED]!,
    internal: arenas[w + A_INTERNAL]!,
    metadata_thp: arenaCounters[c + AC_BASE_THP]!,
    tcache_bytes: tcacheBytes,
    tcache_stashed_bytes: 0,
    resident: arenaCounters[c + AC_BASE_RESIDENT]! + (pactive + pdirty) * PAGE,
    abandoned_vm: arenaCounters[c + AC_ABANDONED]!,
  };
  return { numbers, small, large, bins, lextents, extents: byClass, mutexes: arenaMutexes(heap, a) };
}

function mutexStats(heap: Heap, id: number) {
  const { lockCounters, firstLock } = heap.state;
  const p = (id - firstLock) * 3;
  return { num_ops: lockCounters[p]!, num_owner_switch: lockCounters[p + 1]! };
}

/** `stats.arenas.<i>.mutexes` by the names of mallctl, in the order of an arena's locks. */
const MUTEXES = [
  'base',
  'tcache_list',
  'large',
  'extent_avail',
  'extents_dirty',
  'extents_muzzy',
  'extents_retained',
  'extent_grow',
  'decay_dirty',
  'decay_muzzy',
] as const;

function arenaMutexes(heap: Heap, a: number): Record<string, Numbers> {
  const first = a * ARENA_LOCKS;
  const at = (i: number) => mutexStats(heap, heap.state.arenaLocks[first + i]!);
  return Object.fromEntries(MUTEXES.map((name, i) => [name, at(i)]));
}

function add(sum: Numbers, row: Numbers): Numbers {
  for (const name of Object.keys(sum)) sum[name]! += row[name] ?? 0;
  return sum;
}

function sumOf(all: readonly ArenaStats[]): ArenaStats {
  const names = Object.keys(all[0]!.numbers);
  const rows = (pick: (one: ArenaStats) => Rows): Rows => {
    const sums: Rows = pick(all[0]!).map((row) => row && { ...row });
    for (const one of all.slice(1)) {
      pick(one).forEach((row, i) => {
        if (row) sums[i] = sums[i] ? add(sums[i], row) : { ...row };
      });
    }
    return sums;
  };
  return {
    numbers: all.reduce((sum, one) => add(sum, one.numbers), zeros(names)),
    small: all.reduce((sum, one) => add(sum, one.small), zeros(SMALL_NAMES)),
    large: all.reduce((sum, one) => add(sum, one.large), zeros(SMALL_NAMES)),
    bins: rows((one) => one.bins),
    lextents: rows((one) => one.lextents),
    extents: rows((one) => one.extents),
    mutexes: Object.fromEntries(
      Object.keys(all[0]!.mutexes).map((name) => [
        name,
        all.reduce((sum, one) => add(sum, one.mutexes[name]!), zeros(MUTEX_NAMES)),
      ]),
    ),
  };
}

/** What is fixed about a bin. */
function binInfo(i: number): Numbers {
  return { size: INDEX_SIZE[i]!, ind: i, nregs: SLAB_REGIONS[i]!, slab_size: SLAB_PAGES[i]! * PAGE, nshards: 1 };
}

/** One arena, or their sum, as nested plain data: rows that are all zero are left out of the tables. */
function present(stats: ArenaStats): AllocatorStats {
  return {
    ...stats.numbers,
    small: stats.small,
    large: stats.large,
    bins: stats.bins.flatMap((row, i) => {
      if (!row) return [];
      // Name by name: copies of what an object has left take ten times as long, and there is a row for each bin of each arena.
      const shown: { [name: string]: number | Numbers } = binInfo(i);
      for (const name of BIN_NAMES) shown[name] = row[name]!;
      shown['mutex'] = { num_ops: row['num_ops'] ?? 0, num_owner_switch: row['num_owner_switch'] ?? 0 };
      return [shown];
    }),
    lextents: stats.lextents.flatMap((row, i) =>
      row ? [{ size: INDEX_SIZE[NBINS + i]!, ind: NBINS + i, ...row }] : [],
    ),
    extents: stats.extents.flatMap((row, i) => (row ? [{ size: PAGE_CLASS[i]! * PAGE, ind: i, ...row }] : [])),
    mutexes: stats.mutexes,
  };
}

/**
 * Unused pages beyond what the decay curve allows by now: they stay because nobody looks. Without background threads that
 * is for as long as their arena is idle.
 */
function overduePages(heap: Heap, a: number): number {
  const { nowNs } = heap.state;
  if (heap.background.isEnabled()) return 0;
  let pages = 0;
  for (const which of [STATE_DIRTY, STATE_MUZZY]) {
    const d = heap.pa.decayOf(a, which);
    if (heap.decay.timeMs(d) <= 0 || heap.decay.deadline(d) > nowNs()) continue;
    const current = heap.pa.npages(a, which);
    pages += current - heap.decay.allowedAt(d, nowNs(), current);
  }
  return pages;
}

/** The `stats.*` of mallctl after a refresh of the epoch, and `overdue`, which the real one does not tell. */
export function heapStats(heap: Heap): AllocatorStats {
  const { config, globals } = heap.state;
  heap.mallctl.refresh();
  // Arena 0 is told of also where memory did not even suffice for it.
  const numbers = Array.from({ length: config.arenaSlots }, (_, a) => a).filter(
    (a) => a === 0 || heap.arenas.isInitialized(a),
  );
  const active = activePages(heap);
  const each = numbers.map((a) => arenaStats(heap, a, active[a]!));
  const merged = sumOf(each);
  const { numbers: sum } = merged;
  return {
    allocated: merged.small['allocated']! + merged.large['allocated']!,
    active: sum['pactive']! * PAGE,
    metadata: sum['base']! + sum['internal']!,
    metadata_thp: sum['metadata_thp']!,
    resident: sum['resident']!,
    mapped: sum['mapped']!,
    retained: sum['retained']!,
    narenas: config.arenaSlots,
    nhbins: config.cacheBins,
    tcache_max: config.tcacheMax,
    opt: { ...config.options, narenas: config.narenas },
    background_thread: heap.background.stats(),
    mutexes: {
      arenas: mutexStats(heap, heap.state.arenasLock),
      background_thread: mutexStats(heap, heap.state.backgroundLock),
    },
    mallctl_bytes: globals[G_CTL_INITIALIZED] === 0 ? 0 : CTL_ARENA_BYTES * (config.arenaSlots + 2),
    overdue_bytes: numbers.reduce((bytes, a) => bytes + overduePages(heap, a) * PAGE, 0),
    arenas: present(merged),
    arena: each.map((one, i) => ({ arena: numbers[i]!, ...present(one) })),
  };
}
