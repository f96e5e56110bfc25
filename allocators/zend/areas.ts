import type { AreaVisitor } from '../../sim/contract/allocator.ts';
import { CHUNK_BYTES, HUGE_PAGES_COUNT, SLOT_SHIFT_WORDS, START_PAGE, type ZendState } from './layout.ts';
import { cachedChunksOf, chunksOf, heapThreads, hugeBlocksOf } from './walk.ts';

/** Chunks, cached chunks and huge blocks as pieces of address space. */
export function areasOf(state: ZendState, visit: AreaVisitor): void {
  const { slots } = state;
  const startOf = (slot: number) => slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096;
  for (const t of heapThreads(state)) {
    const heap = t === 0 ? 'Zend heap' : `Zend heap of thread slot ${t}`;
    chunksOf(state, t).forEach((slot, i) => {
      visit(startOf(slot), CHUNK_BYTES, i === 0 ? `${heap}, main chunk` : `${heap}, chunk ${i}`, 'chunk');
    });
    cachedChunksOf(state, t).forEach((slot, i) => {
      visit(startOf(slot), CHUNK_BYTES, `${heap}, cached chunk ${i + 1}`, 'chunk');
    });
    for (const slot of hugeBlocksOf(state, t)) {
      visit(
        startOf(slot),
        slots[(slot << SLOT_SHIFT_WORDS) + HUGE_PAGES_COUNT]! * 4096,
        `${heap}, huge block`,
        'mapped',
      );
    }
  }
}
