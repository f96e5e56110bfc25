import { bytes, count, percent } from '../../../../sim/contract/format.ts';
import { groupAreas } from '../heap/area-groups.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

const SHOWN = 3;

/** Free regions of slabs that still hold a block: a purge cannot return them, new blocks of the same size alone use them. */
export const slabs: Mechanism = {
  name: 'slabs',
  detect({ facts }) {
    const groups = groupAreas(facts.areas.filter((a) => a.kind === 'slab' && a.liveBlocks > 0))
      .map((g) => ({ ...g, free: g.breakdown.pinned + g.breakdown.returnable }))
      .sort((x, y) => y.free - x.free);
    const free = groups.reduce((sum, g) => sum + g.free, 0);
    if (free < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const worst = groups
      .slice(0, SHOWN)
      .map(
        (g) =>
          `${bytes(g.free)} in ${count(g.count)} ${g.count === 1 ? g.name : g.name.replace('slab', 'slabs')} (${percent(g.free / g.residentBytes)} free)`,
      );
    return {
      mechanism: 'slabs',
      bytes: free,
      sentences: [
        `${bytes(free)} are free regions of slabs that still hold a block: a purge cannot return them, only blocks of the same size class use them again. Most: ${worst.join(', ')}.`,
      ],
      settings: [],
    };
  },
};
