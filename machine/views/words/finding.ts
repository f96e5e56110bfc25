/** What a finding can be. `rank` orders them before their size does: what explains others first, what does no harm last. */
export const KINDS = {
  'killed-by-limit': { title: 'killed by the limit of a group', rank: 0 },
  'three-layers': { title: 'three layers of reclaim', rank: 0 },
  'late-runtime': { title: 'a collected runtime that gives back late', rank: 1 },
  'lazily-freed': { title: 'lazily freed pages', rank: 2 },
  'allocator-keeps': { title: 'free pages kept by the allocator', rank: 2 },
  'pinned-break': { title: 'a break pinned from its top', rank: 2 },
  arenas: { title: 'arenas', rank: 2 },
  'counted-twice': { title: 'shared memory counted twice', rank: 2 },
  forked: { title: 'memory of a fork counted twice', rank: 3 },
  'in-nobody': { title: 'shared memory in nobody’s RSS', rank: 3 },
  tmpfs: { title: 'tmpfs', rank: 2 },
  descriptors: { title: 'leaked descriptors', rank: 2 },
  names: { title: 'names and inodes of files', rank: 2 },
  'cache-evicts': { title: 'page cache that evicts', rank: 2 },
  'cache-trusted': { title: 'page cache that is trusted', rank: 4 },
} as const;

export type FindingKind = keyof typeof KINDS;

export interface Finding {
  readonly kind: FindingKind;
  readonly title: string;
  /** The memory that it is about. */
  readonly bytes: number;
  /** Sentences with the figures, the last of which tells the kind from the others. */
  readonly text: string;
  /** The sample or step at which the figures are. */
  readonly at: string;
  readonly step: number;
}

export const finding = (
  kind: FindingKind,
  bytes: number,
  { label, step }: { readonly label: string; readonly step: number },
  sentences: readonly string[],
): Finding => ({
  kind,
  title: KINDS[kind].title,
  bytes,
  text: sentences.join(' '),
  at: label,
  step,
});
