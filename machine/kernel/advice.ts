/** The advices of madvise, by their real names in lower case. */
export const ADVICES = [
  'normal',
  'random',
  'sequential',
  'willneed',
  'dontneed',
  'free',
  'remove',
  'cold',
  'pageout',
  'populate_read',
  'populate_write',
  'collapse',
  'hugepage',
  'nohugepage',
  'dontfork',
  'wipeonfork',
] as const;
export type Advice = (typeof ADVICES)[number];
