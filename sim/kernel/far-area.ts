import { assert } from '../contract/assert.ts';
import type { Memory } from '../contract/memory.ts';
import type { Page, Pages } from '../contract/units.ts';
import { FENCE_PAGE, MMAP_BOTTOM_PAGE } from './layout.ts';
import { VM_ELIDED, type VmaTable } from './vma.ts';

/** From 4 GiB on a mapping lies in the far area. */
const FAR_FROM: Pages = 2 ** 20;
/** What elided pages are a multiple of, 1 GiB: no model aligns anything beyond that. */
const GRANULE: Pages = 2 ** 18;
const MAX_BLOCKS = 4096;
const BLOCK_WORDS = 4;

export type FarArea = ReturnType<typeof createFarArea>;

/**
 * Mappings for which the 32 GiB of fine addresses have no room, and of which only page numbers are needed.
 *
 *   real   ───────── ▐ a mapping of 24 GiB + 4 KiB ▌▐ others ▌ fence
 *   here             ───────── ▐ its place, 1 GiB + 4 KiB ▌▐ others ▌ fence │ ▐ the mapping ▌  far area
 *
 * Its place in the mmap area is kept with whole GiBs left out, so that what is mapped after it lies as in a real process but for
 * these. A hole that it leaves is that much smaller than a real one.
 *
 * A block ─► start, end (far), start, end of its place (0 where it has none), all page numbers.
 */
export function createFarArea(memory: Memory, vmas: VmaTable, pages: Pages) {
  const words: Int32Array = memory.int32('kernel.farBlocks', 1 + MAX_BLOCKS * BLOCK_WORDS, () => blockAt(words[0]!));
  const limit: Page = FENCE_PAGE + pages;

  const blockAt = (i: number) => 1 + i * BLOCK_WORDS;

  /** Index in `words` of the block that holds `page`, or 0. */
  function blockOf(page: Page): number {
    for (let i = 0; i < words[0]!; i++) {
      const at = blockAt(i);
      if (page >= words[at]! && page < words[at + 1]!) return at;
    }
    return 0;
  }

  /** Where `count` pages go: their place is where `placeOf` puts what is not left out of them. -1 without room. */
  function place(count: Pages, placeOf: (count: Pages) => Page): Page {
    if (words[0] === MAX_BLOCKS) return -1;
    const kept = (count % GRANULE) + GRANULE;
    const from = count >= FAR_FROM ? placeOf(kept) : -1;
    const end = vmas.highestHole(count + GRANULE, FENCE_PAGE, limit);
    if (end === 0) return -1;
    const offset = from < 0 ? 0 : from % GRANULE;
    const start = Math.floor((end - count - offset) / GRANULE) * GRANULE + offset;
    if (from >= 0) vmas.add(from, from + kept, VM_ELIDED);
    const at = blockAt(words[0]!++);
    words[at] = start;
    words[at + 1] = start + count;
    words[at + 2] = Math.max(0, from);
    words[at + 3] = from < 0 ? 0 : from + kept;
    return start;
  }

  /** Something of the far area was unmapped: a block of which nothing is left gives its place up. */
  function unmapped(page: Page): void {
    const at = blockOf(page);
    if (at === 0) return;
    if (!vmas.isFree(words[at]!, words[at + 1]!)) {
      words[at] = Math.max(words[at]!, vmas.startAbove(words[at]!));
      words[at + 1] = Math.min(words[at + 1]!, vmas.endBelow(words[at + 1]!));
      return;
    }
    if (words[at + 3] !== 0) vmas.remove(words[at + 2]!, words[at + 3]!);
    const last = blockAt(words[0]! - 1);
    words.copyWithin(at, last, last + BLOCK_WORDS);
    words[0]!--;
  }

  /** mremap(2) in place, from the end of a block: whether the place above it is free, too. */
  function grow(page: Page, count: Pages): boolean {
    const at = blockOf(page);
    assert(at !== 0, 'a mapping of the far area is in none of its blocks');
    const end = words[at + 1]!;
    const placeEnd = words[at + 3]!;
    if (placeEnd === 0 || placeEnd + count > FENCE_PAGE || !vmas.isFree(placeEnd, placeEnd + count)) return false;
    if (end + count > limit || !vmas.isFree(end, end + count)) return false;
    vmas.add(placeEnd, placeEnd + count, VM_ELIDED);
    words[at + 1] = end + count;
    words[at + 3] = placeEnd + count;
    return true;
  }

  /** How many pages below the fence a page lies in the real process, while nothing that lay above it has been unmapped. */
  function depthOf(page: Page): Pages {
    const at = page >= FENCE_PAGE ? blockOf(page) : 0;
    const end = at !== 0 ? words[at + 3]! : page + 1;
    let depth = at !== 0 ? FENCE_PAGE - end + words[at + 1]! - page : FENCE_PAGE - page;
    for (let i = 0; i < words[0]!; i++) {
      const other = blockAt(i);
      if (other === at || words[other + 2]! < end || words[other + 3] === 0) continue;
      depth += words[other + 1]! - words[other]! - (words[other + 3]! - words[other + 2]!);
    }
    return depth;
  }

  return {
    place,
    unmapped,
    grow,
    pages,
    limit,
    /** Whether a mapping that may lie here should. */
    takes: (count: Pages): boolean => pages > 0 && count >= FAR_FROM,
    /** Pages are elsewhere than `realAddress` says: what lies in the mmap area and is no mapping of the heap. */
    displaces: (page: Page): boolean => words[0] !== 0 && page >= MMAP_BOTTOM_PAGE,
    depthOf,
  };
}
