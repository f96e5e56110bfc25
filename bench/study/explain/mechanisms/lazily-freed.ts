import { bytes } from '../../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { LAZILY_FREED } from '../../../../sim/kernel/residency.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

/** MADV_FREE: the kernel may take the pages at any time, but counts them as resident until it does. */
export const lazilyFreed: Mechanism = {
  name: 'lazily freed pages',
  detect({ facts, assembled }) {
    const { kernel } = assembled.machine;
    let lazy = 0;
    for (let i = 0; i < kernel.vmas.count(); i++) {
      for (let page = kernel.vmas.start(i); page < kernel.vmas.end(i); page++) {
        if (kernel.pages[page] === LAZILY_FREED) lazy++;
      }
    }
    if (lazy * PAGE_BYTES < facts.sample.rssBytes * WORTH_FINDING || lazy === 0) return undefined;
    return {
      mechanism: 'lazily freed pages',
      bytes: lazy * PAGE_BYTES,
      sentences: [
        `${bytes(lazy * PAGE_BYTES)} only look resident: they were given back with MADV_FREE, and the kernel takes them as soon as it needs memory (LazyFree in smaps).`,
      ],
      settings: [
        {
          allocator: 'jemalloc',
          options: { muzzy_decay_ms: 0 },
          about: 'pages go back with MADV_DONTNEED, so that resident bytes say what is in use',
        },
      ],
    };
  },
};
