import { bytes, counted } from '../../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { Mechanism } from './mechanism.ts';

const CHUNK_PAGES = 512;
/** The first page of a chunk is its header. */
const USABLE_PAGES = CHUNK_PAGES - 1;
/** Most of the large blocks have to be such. */
const MOST = 0.5;

/** A run of more than half a chunk: no second one fits behind it, and the chunk's rest serves smaller blocks alone. */
export const zendRuns: Mechanism = {
  name: 'Zend runs',
  detect({ blocks, assembled, facts }) {
    if (!assembled.request || !facts.run.allocator.startsWith('zendmm')) return undefined;
    const byPages = new Map<number, number>();
    const chunks = new Set<number>();
    let own = 0;
    for (const { owner, usableBytes, address } of blocks) {
      const pages = usableBytes / PAGE_BYTES;
      if (owner !== assembled.request || pages <= USABLE_PAGES / 2 || pages > USABLE_PAGES) continue;
      byPages.set(pages, (byPages.get(pages) ?? 0) + 1);
      chunks.add(Math.floor(address / (CHUNK_PAGES * PAGE_BYTES)));
      own += usableBytes;
    }
    const all = facts.areas.filter((a) => a.kind === 'chunk' && !a.name.includes('cached'));
    if (chunks.size < 2 || chunks.size < MOST * all.length) return undefined;
    const [[pages, many]] = [...byPages].sort((x, y) => y[1] - x[1]) as [[number, number]];
    const rest = USABLE_PAGES - pages;
    const lost = chunks.size * CHUNK_PAGES * PAGE_BYTES - own;
    return {
      mechanism: 'Zend runs',
      bytes: lost,
      isNoLeak: true,
      sentences: [
        `${counted(many, 'chunk')} ${many === 1 ? 'holds' : 'hold'} one block of ${counted(pages, 'page')} each: the other ${counted(rest, 'page')} of a chunk cannot hold a second. ${bytes(own)} of such blocks take ${counted(chunks.size, 'chunk')} of 2 MiB, ${bytes(chunks.size * CHUNK_PAGES * PAGE_BYTES)}, against the memory limit.`,
        `Blocks of up to ${counted(Math.floor(USABLE_PAGES / 2), 'page')} (${bytes(Math.floor(USABLE_PAGES / 2) * PAGE_BYTES)}) fit two to a chunk; from 2 MiB up a block is mapped on its own, in its own size.`,
      ],
      settings: [],
    };
  },
};
