import { bytes, counted } from '../../sim/contract/format.ts';
import type { Holdings } from '../engine/holdings.ts';
import { heapBytes, type PoolFigures } from './figures.ts';

/** M_TRIM_THRESHOLD, before it grows. */
const DEFAULT_TRIM = 131072;
/** So many live blocks, beside what is free, are worth a word where a heap climbs. */
const MANY_LIVE = 0.5;
/** A heap with less than this share of a worker's private memory explains none of it. */
const SOME = 0.05;

/** In which layer a worker's memory is, and why it stays there; with a space behind, or nothing. */
export function layerText(pool: PoolFigures, wasKilled = false): string {
  const { holdings, preloadBytes } = pool;
  if (!holdings || heapBytes(holdings) === 0) return '';
  const all = heapBytes(holdings);
  // Of what a worker has the heap may be next to nothing.
  if (all < SOME * (pool.mostPrivateBytes / Math.max(1, pool.mostWorkers)))
    return arenaText(pool, holdings)
      .map((text) => `${text} `)
      .join('');
  const parts = (
    [
      ['the main arena (the break)', holdings.mainHeapBytes],
      [`${counted(holdings.arenaHeaps, 'heap')} of other arenas`, holdings.arenaBytes],
      ['Zend chunks', holdings.zendBytes],
      ['blocks with mappings of their own', holdings.mappedBytes],
      ['extents', holdings.extentBytes],
    ] as const
  ).filter(([, size]) => size > 0.02 * all);
  const sorted = [...parts].sort((x, y) => y[1] - x[1]);
  const share = sorted.map(([what, size]) => `${bytes(size)} in ${what}`).join(', ');
  const heap = preloadBytes > 0 ? 'Beside what was preloaded, the' : 'The';
  const text = `${heap} largest heap is ${bytes(all)}: ${share}; ${bytes(holdings.liveBytes)} of it is in live blocks, ${bytes(holdings.freeBytes)} is free memory that the allocator keeps, the rest its own bookkeeping.`;
  return `${text}${reasonText(pool, holdings, sorted[0]?.[0] ?? '', wasKilled)} `;
}

function reasonText(pool: PoolFigures, holdings: Holdings, largest: string, wasKilled: boolean): string {
  const { mmap_threshold: threshold, trim_threshold: trim } = holdings.tunables;
  const reasons: string[] = [];
  const climbs = wasKilled ? pool.climbedPerHourBytes > 0 : pool.isClimbing;
  if (climbs && holdings.liveBytes > MANY_LIVE * holdings.freeBytes)
    reasons.push(
      'The requests leave live blocks behind: a library or the program keeps them, and no setting of the allocator gives them back.',
    );
  if (largest.startsWith('the main') && holdings.freeBytes > 0.5 * holdings.mainHeapBytes && trim !== undefined)
    reasons.push(...breakText(holdings, threshold ?? 0, trim));
  reasons.push(...arenaText(pool, holdings));
  if (holdings.zendCachedChunks > 2)
    reasons.push(`Zend keeps ${holdings.zendCachedChunks} empty chunks for the next request (avg_chunks_count).`);
  return reasons.length > 0 ? ` ${reasons.join(' ')}` : '';
}

/** Why free memory of the break stays: beyond the threshold only what lies below a live block does. */
function breakText(holdings: Holdings, threshold: number, trim: number): string[] {
  const { freeBytes, mainHeapBytes } = holdings;
  // What other layers have may all be free.
  const inBreak = freeBytes - (heapBytes(holdings) - mainHeapBytes);
  if (inBreak > 2 * trim)
    return [
      'Most of the free memory of the break lies between live blocks: the break is given back from its end alone, down to the last live block.',
    ];
  return trim > DEFAULT_TRIM && freeBytes <= 2 * trim
    ? [
        `Free memory at the end of the break is given back only beyond trim_threshold, which has grown to ${bytes(trim)}, since a mapped block of ${bytes(threshold)} was freed: from then on blocks below that come from the break.`,
      ]
    : [];
}

const arenaText = ({ sizeBytes: vszBytes }: PoolFigures, { arenaHeaps, arenaBytes }: Holdings): string[] =>
  arenaHeaps > 1
    ? [
        `Each arena reserves 64 MiB of address space (a worker's VSZ is ${bytes(vszBytes)}), of which ${bytes(arenaBytes)} in all is resident: VSZ is not memory.`,
      ]
    : [];
