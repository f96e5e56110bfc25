import { AllocatorAbort } from '../../../../sim/contract/assert.ts';
import { bytes, counted } from '../../../../sim/contract/format.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { AreaReport } from '../heap/ranges.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

/** Runs of small blocks that are free as a whole: the Zend heap keeps them for blocks of the same size, until it is asked. */
export const zendFreeRuns: Mechanism = {
  name: 'Zend free runs',
  detect({ facts, assembled, experiment }) {
    const { request } = assembled;
    if (!request?.gcMemCaches || !holdsBlocks(facts.areas)) return undefined;
    const { residency } = assembled.machine.kernel;
    const collected: Collected = experiment(() => {
      const before = residency.residentPages();
      try {
        const freed = request.gcMemCaches!(0);
        return { freed, returned: (before - residency.residentPages()) * PAGE_BYTES };
      } catch (error) {
        if (error instanceof AllocatorAbort) return NONE; // the real one dies of it too, where nothing at all is in use
        throw error;
      }
    });
    const held = Math.max(collected.freed, collected.returned);
    const worth = facts.sample.rssBytes * WORTH_FINDING;
    if (held < worth || held === 0) return undefined;
    const returns = collected.returned >= worth;
    return {
      mechanism: 'Zend free runs',
      bytes: held,
      isNoLeak: true,
      sentences: [
        `${bytes(collected.freed)} are pages of small blocks that are all free: the Zend heap keeps them for blocks of the same size until the request ends.`,
        ...(returns ? [] : [reusedText(collected)]),
      ],
      ...(returns && { call: returnedText(collected) }),
      settings: [],
      remedies: returns ? [{ place: 'PHP, here', text: 'gc_mem_caches();' }] : [],
    };
  },
};

/** Where nothing is in use the main chunk goes too, and the real heap with it. */
const holdsBlocks = (areas: readonly AreaReport[]): boolean =>
  areas.some(({ name, liveBlocks }) => name.startsWith('Zend') && liveBlocks > 0);

interface Collected {
  /** What the call answers: the runs that it takes apart. */
  readonly freed: Bytes;
  /** By how much the resident bytes fall: chunks that it leaves without a block are given back or cached. */
  readonly returned: Bytes;
}

const NONE: Collected = { freed: 0, returned: 0 };

const returnedText = ({ returned }: Collected): string =>
  `A call of the script: gc_mem_caches() would return ${bytes(returned)} of the process here, ${counted(returned, 'byte')} (run), and make the rest of the free pages of small blocks usable for blocks of any size.`;

/** A chunk goes as a whole or not at all: other blocks live in each of these. */
const reusedText = ({ freed, returned }: Collected): string =>
  `gc_mem_caches() would make them usable for blocks of any size, ${counted(freed, 'byte')} (run), and return ${returned === 0 ? 'nothing' : bytes(returned)} to the system: other blocks live in the same chunks. So it helps a script that goes on with other sizes, and no process that is done.`;
