import { RANGE_CACHED } from '../../../../sim/contract/allocator.ts';
import { bytes, count, counted } from '../../../../sim/contract/format.ts';
import type { Setting } from '../settings/setting.ts';
import { type KeptApart, keptApart } from './kept-apart.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

interface FreeSmall {
  readonly fast: { readonly size: number; readonly count: number };
}

const setting = (options: Setting['options'], about: string): Setting => ({ allocator: 'glibc', options, about });

/**
 * Chunks in fastbins and thread caches count as used: neighbours do not merge with them, and the top is not cut past them.
 * Only a request of a large block, a large free or malloc_trim consolidates the fastbins, and nothing empties a cache but
 * its thread's exit.
 */
export const unmergedChunks: Mechanism = {
  name: 'unmerged chunks',
  detect({ facts, assembled }) {
    if (!facts.run.allocator.includes('glibc')) return undefined;
    const heaps = arenasOf(assembled.allocator.stats());
    const fastBytes = heaps.reduce((sum, h) => sum + h.fast.size, 0);
    const fastCount = heaps.reduce((sum, h) => sum + h.fast.count, 0);
    let cachedBytes = 0;
    let cachedCount = 0;
    assembled.allocator.walk((_start, length, kind) => {
      if (kind !== RANGE_CACHED) return;
      cachedBytes += length;
      cachedCount++;
    });
    const free = facts.sample.breakdown.pinned + facts.sample.breakdown.returnable + facts.sample.breakdown.cached;
    const worth = facts.sample.rssBytes * WORTH_FINDING;
    if (free < worth || fastCount + cachedCount === 0) return undefined;
    const sentences: string[] = [];
    if (fastBytes >= worth) {
      sentences.push(
        `${bytes(fastBytes)} lie in ${counted(fastCount, 'chunk')} of fastbins: they count as used until something consolidates them, so nothing merges with them and the heap is not cut off.`,
      );
    } else if (cachedBytes >= worth) {
      sentences.push(
        `${bytes(cachedBytes)} lie in ${counted(cachedCount, 'chunk')} of thread caches, which nothing merges with and only the thread itself uses again.`,
      );
    }
    const below = facts.areas.reduce((sum, { wholeFree }) => sum + (wholeFree?.belowFreed ?? 0), 0);
    if (below >= worth) {
      sentences.push(
        `${bytes(below)} are free on whole pages with no live block above them in their heap: freed chunks keep it from being cut off there. Those in thread caches (${count(cachedCount)}) and in fastbins (${count(fastCount)}) count as used, so nothing merges with them.`,
      );
    }
    const apart = cachedCount > 0 ? keptApart(assembled) : undefined;
    const isApart = apart && apart.freeBytes >= worth && apart.pieces > apart.joined;
    const noFastbins = setting({ mxfast: 0 }, 'no fastbins: freed chunks merge at once');
    const noCaches = setting({ tcache_count: 0 }, 'no thread caches');
    return {
      mechanism: 'unmerged chunks',
      bytes: fastBytes + cachedBytes + below,
      sentences,
      ...(below < worth && {
        ifRefuted: [
          `${bytes(fastBytes + cachedBytes)} of what is free lie in ${counted(fastCount + cachedCount, 'chunk')} of fastbins and thread caches.`,
        ],
      }),
      ...(isApart && { ifItHelps: { setting: noCaches, sentence: apartText(apart, cachedCount) } }),
      ...(fastBytes >= worth && { forTime: { setting: noFastbins, sentence: scatteredText(fastCount) } }),
      settings: [
        noFastbins,
        noCaches,
        setting({ mxfast: 0, tcache_count: 0 }, 'neither fastbins nor thread caches: every free merges'),
      ],
    };
  },
};

/** Why a setting without thread caches may save more than lies in them. */
const apartText = ({ cachedChunks, pieces, joined, freeBytes }: KeptApart, cachedCount: number): string =>
  `${count(cachedChunks)} of the ${counted(cachedCount, 'chunk')} in thread caches lie beside free ones and count as used: so ${bytes(freeBytes)} of free chunks stay in ${counted(pieces, 'piece')}, which would be ${count(joined)} without them. A block that fits into none of the pieces is taken from the end of the heap: without thread caches (tcache_count=0) more may go than what lies in them.`;

/** docs/results/explain.md. */
const scatteredText = (fastCount: number): string =>
  `For time mxfast=0 may be worth a trial, whatever work is counted for it: ${counted(fastCount, 'chunk')} of fastbins come back in scattered order. Of programs that have so many some took as long with their blocks side by side, some up to half less processor time; no price here knows which.`;

/** The arenas of glibc's statistics; none of other allocators'. */
function arenasOf(stats: unknown): readonly FreeSmall[] {
  const { heaps } = stats as { readonly heaps?: readonly Partial<FreeSmall>[] };
  return Array.isArray(heaps) ? heaps.filter((h): h is FreeSmall => h.fast !== undefined) : [];
}
