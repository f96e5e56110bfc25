import { bytes } from '../../../../sim/contract/format.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { BACKGROUND_THREAD } from './shared-settings.ts';

/** Dirty and muzzy pages of jemalloc: their time runs out, but only a thread that allocates looks at the clock. */
export const idlePages: Mechanism = {
  name: 'idle pages',
  detect({ facts }) {
    if (!facts.run.allocator.includes('jemalloc')) return undefined;
    let dirty = 0;
    let muzzy = 0;
    for (const { name, residentBytes } of facts.areas) {
      if (name.startsWith('dirty extent')) dirty += residentBytes;
      else if (name.startsWith('muzzy extent')) muzzy += residentBytes;
    }
    if (dirty + muzzy < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const parts = [dirty > 0 ? `${bytes(dirty)} are dirty` : '', muzzy > 0 ? `${bytes(muzzy)} are muzzy` : ''];
    const who = facts.run.allocator.includes('background_thread=true')
      ? 'A background thread gives them back when it is.'
      : 'Without a background thread only threads that allocate or free look at the clock: an idle process keeps them.';
    return {
      mechanism: 'idle pages',
      bytes: dirty + muzzy,
      sentences: [
        `${parts.filter((p) => p).join(' and ')}: free pages that jemalloc keeps until their decay time is over. ${who}`,
      ],
      settings: [
        BACKGROUND_THREAD,
        { allocator: 'jemalloc', options: { dirty_decay_ms: 1000 }, about: 'free pages go back within a second' },
        {
          allocator: 'jemalloc',
          options: { background_thread: true, dirty_decay_ms: 1000, muzzy_decay_ms: 0 },
          about: 'a thread of its own returns free pages within a second',
        },
        {
          allocator: 'jemalloc',
          options: { dirty_decay_ms: 0, muzzy_decay_ms: 0 },
          about: 'free pages go back at once',
        },
      ],
    };
  },
};
