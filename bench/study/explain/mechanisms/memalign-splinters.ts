import { OP_MASK, OP_MEMALIGN } from '../../../../sim/contract/event.ts';
import { bytes, counted } from '../../../../sim/contract/format.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import type { Setting } from '../settings/setting.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { FIXED_MMAP_THRESHOLD } from './shared-settings.ts';

const FIXED_HERE: Setting = {
  allocator: 'glibc',
  version: '2.41',
  options: {},
  about: 'memalign reuses what it has freed',
};

/**
 * memalign takes alignment + size and splits what is too much off in front and behind: the freed rest does not fit the next
 * such request once a small block sits beside it, and the heap grows (glibc bug 14581).
 */
export const memalignSplinters: Mechanism = {
  name: 'memalign splinters',
  detect({ facts, events, end, options }) {
    const glibc = options.spec.model.name === 'glibc' ? options.spec : options.spec.below;
    if (glibc?.model.name !== 'glibc' || Number(glibc.version.split('.')[1]) >= 41) return undefined;
    if (!hasOperation(events, OP_MEMALIGN)) return undefined;
    let aligned = 0;
    let largest = 0;
    for (let row = 0; row < end; row++) {
      if ((events.head[row]! & OP_MASK) !== OP_MEMALIGN) continue;
      aligned++;
      largest = Math.max(largest, events.b[row]!);
    }
    // The longest free range of a heap is its end, or what a request of any kind fits into.
    const splintered = facts.areas
      .filter(({ kind }) => kind === 'heap')
      .reduce(
        (sum, { breakdown: b, largestFreeBytes }) => sum + Math.max(0, b.pinned + b.returnable - largestFreeBytes),
        0,
      );
    if (aligned < 2 || splintered < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    return {
      mechanism: 'memalign splinters',
      bytes: splintered,
      sentences: [
        `${bytes(splintered)} are free in pieces, and the program made ${counted(aligned, 'aligned request')}, the largest of ${bytes(largest)}: memalign asks for more than it needs and splits the rest off, so a freed aligned block does not fit the next one beside a small neighbour, and the heap grows by each (glibc bug 14581, fixed in 2.41).`,
      ],
      settings: [FIXED_HERE, FIXED_MMAP_THRESHOLD],
      testedBy: FIXED_HERE,
    };
  },
};
