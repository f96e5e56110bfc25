import { AllocatorAbort } from '../../../../sim/contract/assert.ts';
import { bytes, counted } from '../../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

/** Runs of small blocks that are free as a whole: the Zend heap keeps them for blocks of the same size, until it is asked. */
export const zendFreeRuns: Mechanism = {
  name: 'Zend free runs',
  detect({ facts, assembled, experiment }) {
    const { request } = assembled;
    if (!request?.gcMemCaches) return undefined;
    const { residency } = assembled.machine.kernel;
    const collected = experiment(() => {
      const before = residency.residentPages();
      try {
        request.gcMemCaches!(0);
      } catch (error) {
        if (error instanceof AllocatorAbort) return 0; // the real one dies of it too, where nothing at all is in use
        throw error;
      }
      return (before - residency.residentPages()) * PAGE_BYTES;
    });
    if (collected < facts.sample.rssBytes * WORTH_FINDING || collected === 0) return undefined;
    return {
      mechanism: 'Zend free runs',
      bytes: collected,
      isNoLeak: true,
      sentences: [
        `gc_mem_caches() would return ${bytes(collected)} now, ${counted(collected, 'byte')} (run): pages of small blocks that are all free, which the Zend heap keeps for blocks of the same size until the request ends.`,
      ],
      settings: [],
      remedies: [{ place: 'PHP, here', text: 'gc_mem_caches();' }],
    };
  },
};
