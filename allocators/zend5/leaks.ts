import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import type { Leak } from '../zend/debug.ts';
import {
  ADDRESS,
  addressOfUnit,
  heapBase,
  REQUESTED,
  RESERVE,
  STATE,
  TREE_OF_BLOCK,
  UNIT,
  USED,
  type Zend5State,
} from './layout.ts';
import { forEachBlock, segmentsOf } from './walk.ts';

/** zend_mm_check_leaks: segment by segment, the newest first; the reserve has been freed before. */
export function leaksOf(state: Zend5State, t: ThreadSlot): Leak[] {
  const { blocks, trees, heaps, geometry } = state;
  const reserve = heaps[heapBase(t) + RESERVE];
  const leaks: Leak[] = [];
  for (const segment of segmentsOf(state, t)) {
    forEachBlock(state, segment, (block) => {
      if (blocks[block + STATE] !== USED || block === reserve) return;
      const data = addressOfUnit(blocks[block + ADDRESS]!) + geometry.header * UNIT;
      leaks.push({ address: realAddress(data), size: trees[(block >> TREE_OF_BLOCK) + REQUESTED]! >>> 0 });
    });
  }
  return leaks;
}
