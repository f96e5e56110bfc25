import { UserError } from '../../../sim/contract/assert.ts';

/**
 * Splits `glibc:arena_max=2,mmap_threshold=1M,jemalloc` into allocators. Commas part allocators as well as options: a
 * piece that is NAME=VALUE goes with the allocator before it. Spaces part them too.
 */
export function splitAllocators(text: string): string[] {
  const names: string[] = [];
  for (const piece of text.split(/\s*,\s*|\s+/).filter((part) => part !== '')) {
    const name = piece.split('=', 1)[0]!;
    const isOption = piece.includes('=') && !/[:@+]/.test(name);
    if (isOption && names.length > 0) names[names.length - 1] += `,${piece}`;
    else names.push(piece);
  }
  return names;
}

/** What `--allocators` was given, once or several times. */
export function allocatorList(given: readonly string[]): string[] {
  const names = given.flatMap(splitAllocators);
  if (given.length > 0 && names.length === 0) {
    throw new UserError(`--allocators: found '${given.join(' ')}', expected names of allocators`);
  }
  return names;
}
