import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { Allocator } from '../../sim/contract/allocator.ts';

/** Allocates nothing and remembers nothing: what is left is the replay loop, the ceiling of every model. */
function createEmpty(): Allocator {
  let handle = 0;
  const next = () => (handle = (handle + 1) & 0x3fffffff) + 1;
  const nothing = () => {};
  return {
    name: 'empty',
    malloc: next,
    calloc: next,
    realloc: next,
    memalign: next,
    free: nothing,
    addressOf: (h) => h * 16,
    usableSize: () => 0,
    touchBlock: nothing,
    threadStart: nothing,
    threadExit: nothing,
    trim: () => false,
    mallopt: nothing,
    stats: () => ({}),
    walk: nothing,
    check: nothing,
    notModelled: () => [],
  };
}

export const EMPTY_MODEL: AllocatorSpec = {
  model: {
    name: 'empty',
    versions: ['1'],
    about: 'the replay loop alone',
    options: [],
    layered: false,
    views: [],
    create: createEmpty,
  },
  version: '1',
  options: {},
  given: {},
  below: undefined,
};
