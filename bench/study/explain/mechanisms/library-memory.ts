import { bytes, percent } from '../../../../sim/contract/format.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

/** What C libraries have taken with malloc beside the Zend heap: memory_get_usage() and memory_limit do not see it. */
export const libraryMemory: Mechanism = {
  name: 'library memory',
  detect({ facts, assembled }) {
    if (!assembled.request) return undefined;
    const beside = facts.areas.filter((a) => !a.name.startsWith('Zend') && a.residentBytes > 0);
    const resident = beside.reduce((sum, a) => sum + a.residentBytes, 0);
    if (resident < facts.sample.rssBytes * WORTH_FINDING || resident === 0) return undefined;
    return {
      mechanism: 'library memory',
      bytes: resident,
      sentences: [
        `${bytes(resident)} (${percent(resident / facts.sample.rssBytes)}) lie beside PHP's own heap: C libraries have taken them with malloc, and neither memory_get_usage() nor memory_limit counts them.`,
      ],
      settings: [],
    };
  },
};
