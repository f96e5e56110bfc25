import { bytes, count, counted } from '../../../../sim/contract/format.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { JEMALLOC_ONE_ARENA, MAIN_ARENA_ONLY, TWO_ARENAS } from './shared-settings.ts';

/** Every arena keeps free memory of its own, which threads of other arenas do not get. */
export const arenas: Mechanism = {
  name: 'arenas',
  detect({ facts, assembled }) {
    const heaps = facts.areas.filter((a) => /arena \d+/.test(a.name) && a.residentBytes > 0);
    const free = heaps.reduce((sum, { breakdown: b }) => sum + b.pinned + b.returnable + b.cached, 0);
    if (free < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const numbers = new Set(heaps.map((a) => /arena (\d+)/.exec(a.name)![1]!));
    // glibc's first arena is the main heap, which has no number.
    if (numbers.size === 1 && !facts.areas.some(({ name }) => name === 'main heap')) return undefined;
    const one = numbers.size === 1;
    const threads = threadsOf(assembled.allocator.stats(), numbers);
    const unused = threads?.filter((n) => n === 0).length ?? 0;
    const who =
      unused === numbers.size
        ? `and no thread uses ${one ? 'it' : 'them'} any more: one that begins takes ${one ? 'it' : 'one of them'} over`
        : `${one ? 'for its' : 'each for its'} own threads${unused > 0 ? ` (${count(unused)} of them ${unused === 1 ? 'has' : 'have'} none any more)` : ''}`;
    return {
      mechanism: 'arenas',
      bytes: free,
      sentences: [
        `${counted(numbers.size, 'arena')} ${one ? 'keeps' : 'keep'} ${bytes(free)} of free memory, ${who}.`,
        // Their number is the allocator's own choice, by the machine.
        ...(/arena/.test(facts.run.allocator)
          ? []
          : [`How many there may be goes by the ${counted(facts.run.cpus, 'processor')} of this run (--cpus).`]),
      ],
      settings: [
        MAIN_ARENA_ONLY,
        TWO_ARENAS,
        { allocator: 'glibc', options: { arena_max: 4 }, about: 'threads share four arenas' },
        JEMALLOC_ONE_ARENA,
        { allocator: 'jemalloc', options: { narenas: 2 }, about: 'threads share two arenas' },
      ],
    };
  },
};

/** How many threads use each of these arenas of glibc now; undefined of other allocators. */
function threadsOf(stats: unknown, numbers: ReadonlySet<string>): readonly number[] | undefined {
  const { heaps } = stats as {
    readonly heaps?: readonly { readonly number: number; readonly attachedThreads: number }[];
  };
  if (!Array.isArray(heaps)) return undefined;
  return heaps.filter(({ number }) => numbers.has(`${number}`)).map(({ attachedThreads }) => attachedThreads);
}
