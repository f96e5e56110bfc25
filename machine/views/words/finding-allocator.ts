import { kbSize, list, most, number, size } from './figures.ts';
import { type Finding, type FindingKind, finding } from './finding.ts';
import type { HeapFacts } from './heap-facts.ts';
import type { History } from './history.ts';
import { type Moment, type ProcessMoment, rssKb } from './moment.ts';

interface HeapMoment {
  readonly moment: Moment;
  readonly process: ProcessMoment;
  readonly heap: HeapFacts;
}

/** A stretch that is held by so little above it, for what it is, is pinned. */
const PIN_SHARE = 0.1;

/** Free pages that an allocator keeps, by why it does: of the moment at which there were most of them, and the process that had most of those. */
export function allocatorFindings({ moments }: History): Finding[] {
  const fullest = most(moments.map(heapsOf), freeBytesOf);
  if (!fullest || fullest.amount === 0) return [];
  const { one: heaps, amount: freeBytes } = fullest;
  const worst = most(heaps, ({ heap }) => heap.freeBytes)!.one;
  const { heap } = worst;
  const pinned = pinnedBytes(heap);
  const inArenas = heap.arenas.count > 0 ? heap.arenas.freeBytes : 0;
  const parts: [FindingKind, number, (at: HeapMoment) => string[]][] = [
    ['pinned-break', pinned, pinnedSentences],
    ['arenas', inArenas, arenaSentences],
    ['allocator-keeps', heap.freeBytes - pinned - inArenas, keptSentences],
  ];
  const largest = Math.max(...parts.map(([, own]) => own));
  // One heap has one verdict: what most of its free pages wait for.
  return parts
    .filter(([, own]) => own === largest)
    .slice(0, 1)
    .map(([kind, , sentences]) => finding(kind, freeBytes, worst.moment, [...sentences(worst), ...together(heaps)]));
}

const heapsOf = (moment: Moment): HeapMoment[] =>
  moment.full.flatMap((process) => (process.heap ? [{ moment, process, heap: process.heap }] : []));

const freeBytesOf = (heaps: readonly HeapMoment[]): number => heaps.reduce((sum, { heap }) => sum + heap.freeBytes, 0);

/** A pool's processes each keep their own. */
function together(heaps: readonly HeapMoment[]): string[] {
  if (heaps.length < 2) return [];
  const live = heaps.reduce((sum, { heap }) => sum + heap.liveBytes, 0);
  return [
    `${list(heaps.map(({ process }) => process.name))} keep ${size(freeBytesOf(heaps))} so together, with ${size(live)} live: each process keeps what its own largest task needed.`,
  ];
}

function pinnedBytes({ main }: HeapFacts): number {
  return main && main.pinningBytes <= PIN_SHARE * main.longestFreeBytes ? main.longestFreeBytes : 0;
}

const opening = ({ moment, process, heap }: HeapMoment): string =>
  `At ${moment.label}, ${process.name} has an RSS of ${kbSize(rssKb(process))}; its program has ${size(heap.liveBytes)} live, and ${size(heap.freeBytes)} are free pages that ${heap.allocator} holds.`;

function keptSentences(at: HeapMoment): string[] {
  const { main } = at.heap;
  const top = main && main.topFreeBytes > 0 ? ` (${size(main.topFreeBytes)} of them at the top of its break)` : '';
  return [
    opening(at),
    `They lie between live blocks or wait to be used again${top}: the kernel sees dirty anonymous pages, in no way different from live ones.`,
    `What the allocator itself says is the only sign: ${signOf(at.heap.allocator)}.`,
  ];
}

/** Where an allocator says so, and what makes it give back. */
function signOf(allocator: string): string {
  if (allocator.startsWith('jemalloc'))
    return 'stats.resident against stats.allocated; its decay or arena.<i>.purge gives them back';
  if (allocator.startsWith('zendmm'))
    return 'memory_get_usage(true) against memory_get_usage(); gc_mem_caches() or the end of the request gives them back';
  return 'malloc_stats, system bytes against in use bytes; malloc_trim(0) gives them back';
}

function pinnedSentences(at: HeapMoment): string[] {
  const main = at.heap.main!;
  return [
    opening(at),
    `${size(main.longestFreeBytes)} of them are one stretch of the heap behind the break, below ${size(main.pinningBytes)} that are live at its top: the break cannot go down below those.`,
    'The [heap] is as large as it ever was, though hardly anything is in it; free space of other mappings would have gone with them.',
  ];
}

function arenaSentences(at: HeapMoment): string[] {
  const { arenas } = at.heap;
  return [
    opening(at),
    `${size(arenas.freeBytes)} of them are in ${number(arenas.count, 'arena')} beside the main one; ${number(arenas.holdingMost, 'arena')} ${arenas.holdingMost === 1 ? 'holds' : 'hold'} nine tenths of what is live there (${size(arenas.liveBytes)} of ${size(arenas.residentBytes)} resident).`,
    'Many anonymous mappings of like size, most of them nearly empty, are the sign; fewer arenas (MALLOC_ARENA_MAX) share what is free.',
  ];
}
