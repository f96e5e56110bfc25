import { HUGE_PAGES, type Page, type Pages } from '../contract/units.ts';
import type { TlbSettings } from './settings.ts';
import { createTranslationCache } from './translation-cache.ts';

/** What happened to accesses: each was served by exactly one of l1, l2 and a walk. */
export interface TlbCounts {
  loads: number;
  stores: number;
  /** Loads and stores that missed the first level, and those that missed both. */
  loadL1Misses: number;
  storeL1Misses: number;
  loadWalks: number;
  storeWalks: number;
  /** Of the walks, those that found no page and were made again after the fault. */
  faultWalks: number;
  /** Page table entries that the walks read. */
  walkRefs: number;
  flushes: number;
}

export const newTlbCounts = (): TlbCounts => ({
  loads: 0,
  stores: 0,
  loadL1Misses: 0,
  storeL1Misses: 0,
  loadWalks: 0,
  storeWalks: 0,
  faultWalks: 0,
  walkRefs: 0,
  flushes: 0,
});

/** tlb_single_page_flush_ceiling: of more pages than this the kernel flushes everything. */
const FLUSH_CEILING = 33;
/** Keys of 2 MiB entries lie above those of 4 KiB. */
const HUGE_KEY = 2 ** 40;

export type Tlb = ReturnType<typeof createTlb>;

/** The data TLB of one processor. */
export function createTlb(settings: TlbSettings, counts: TlbCounts) {
  const l1 = createTranslationCache(settings.l1);
  const l1Huge = settings.l1Huge.entries > 0 ? createTranslationCache(settings.l1Huge) : l1;
  const l2 = settings.l2.entries > 0 ? createTranslationCache(settings.l2) : undefined;
  const directory =
    settings.walkCache > 0
      ? createTranslationCache({ entries: settings.walkCache, ways: settings.walkCache })
      : undefined;

  /** References of a walk: the entry itself, and of a small page its directory's where the walker does not know it. */
  function walk(page: Page, huge: boolean): void {
    counts.walkRefs++;
    if (!huge && !(directory?.use(Math.floor(page / HUGE_PAGES)) ?? false)) counts.walkRefs++;
  }

  /** So many accesses to one page, one after the other. `faulted`: the first of them took a fault. */
  function access(page: Page, huge: boolean, accesses: number, isStore: boolean, faulted: boolean): void {
    if (isStore) counts.stores += accesses;
    else counts.loads += accesses;
    const key = huge ? HUGE_KEY + Math.floor(page / HUGE_PAGES) : page;
    if (faulted) {
      // A walk that finds nothing leaves nothing: the access is made again.
      walk(page, false);
      counts.faultWalks++;
      count(isStore);
    }
    if ((huge ? l1Huge : l1).use(key)) return;
    if (isStore) counts.storeL1Misses++;
    else counts.loadL1Misses++;
    if (l2?.use(key)) return;
    walk(page, huge);
    if (isStore) counts.storeWalks++;
    else counts.loadWalks++;
  }

  function count(isStore: boolean): void {
    if (isStore) {
      counts.storeL1Misses++;
      counts.storeWalks++;
    } else {
      counts.loadL1Misses++;
      counts.loadWalks++;
    }
  }

  /** flush_tlb_range: pages one by one, or everything where they are many. */
  function flush(start: Page, pages: Pages): void {
    counts.flushes++;
    const caches = [l1, l1Huge, l2, directory];
    if (pages > FLUSH_CEILING) {
      for (const cache of caches) cache?.dropAll();
      return;
    }
    const last = start + pages - 1;
    const firstHuge = Math.floor(start / HUGE_PAGES);
    const lastHuge = Math.floor(last / HUGE_PAGES);
    for (const cache of [l1, l2]) {
      cache?.drop(start, last);
      cache?.drop(HUGE_KEY + firstHuge, HUGE_KEY + lastHuge);
    }
    l1Huge.drop(HUGE_KEY + firstHuge, HUGE_KEY + lastHuge);
    // INVLPG empties the walker's caches.
    directory?.dropAll();
  }

  return { access, flush };
}
