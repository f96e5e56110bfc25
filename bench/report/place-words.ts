/** What a kind of area is, for those who do not know the allocator's words; by what its name has in it. */
const WORDS: readonly (readonly [string, string])[] = [
  ['cut-off end', 'what a heap gave back behind its end'],
  ['arena heap', 'glibc’s heaps for threads'],
  ['main heap', 'what malloc takes with brk'],
  ['mapped block', 'large blocks, each a mapping of its own'],
  ['dirty extent', 'free pages that jemalloc keeps until their decay time is over'],
  ['muzzy extent', 'free pages that the kernel takes when it needs memory'],
  ['large block', 'blocks of whole pages'],
  ['slab of', 'pages that are cut into blocks of one size'],
  ['base', 'jemalloc’s own structures'],
  ['Zend heap cached chunk', 'kept by PHP for later requests'],
  ['Zend heap', 'PHP’s memory of requests, in pieces of 2 MiB'],
];

/** In brackets behind a name; '' where that says all. */
export function placeWords(name: string): string {
  const words = WORDS.find(([part]) => name.includes(part))?.[1];
  return words === undefined ? '' : ` (${words})`;
}
