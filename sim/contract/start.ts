/** How a program's threads begin: all wait for the main one's word, or it makes one after the other. */
export const STARTS = ['barrier', 'serial'] as const;
export type Start = (typeof STARTS)[number];
