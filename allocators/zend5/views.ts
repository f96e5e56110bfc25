import { realAddress } from '../../sim/kernel/layout.ts';
import {
  ADDRESS,
  addressOfUnit,
  CACHED,
  FREE,
  heapBase,
  LENGTH,
  RESERVE,
  SEGMENT_ADDRESS,
  SEGMENT_LENGTH,
  STATE,
  segmentAt,
  UNIT,
  type Zend5State,
} from './layout.ts';
import { forEachBlock, heapThreads, segmentsOf } from './walk.ts';

/** Blocks that are named one by one; a segment with more of them is summed up. */
const NAMED_BLOCKS = 24;

/** The list of segments, the newest first, each with its blocks or with their sums. */
export function segmentList(state: Zend5State): string {
  const { heaps, blocks, segments } = state;
  const lines: string[] = [];
  for (const t of heapThreads(state)) {
    const list = segmentsOf(state, t);
    lines.push(`heap of thread slot ${t}: ${list.length} segments`);
    for (const segment of list) {
      const s = segmentAt(segment);
      const sums = { used: 0, cached: 0, free: 0 };
      const counts = { used: 0, cached: 0, free: 0 };
      const named: string[] = [];
      forEachBlock(state, segment, (block) => {
        const bytes = blocks[block + LENGTH]! * UNIT;
        const kind = blocks[block + STATE] === FREE ? 'free' : blocks[block + STATE] === CACHED ? 'cached' : 'used';
        sums[kind] += bytes;
        counts[kind]++;
        if (named.length <= NAMED_BLOCKS) {
          const what = block === heaps[heapBase(t) + RESERVE] ? 'reserve' : kind;
          const address = realAddress(addressOfUnit(blocks[block + ADDRESS]!)).toString(16);
          named.push(`    0x${address} ${what.padEnd(7)} ${bytes}`);
        }
      });
      const start = realAddress(addressOfUnit(segments[s + SEGMENT_ADDRESS]!)).toString(16);
      const parts = (['used', 'cached', 'free'] as const).map(
        (kind) => `${kind} ${sums[kind]} in ${counts[kind]} blocks`,
      );
      lines.push(`  segment 0x${start}: ${segments[s + SEGMENT_LENGTH]! * UNIT} bytes; ${parts.join(', ')}`);
      if (named.length <= NAMED_BLOCKS) lines.push(...named);
    }
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'no heap yet\n';
}
