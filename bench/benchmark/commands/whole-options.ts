import type { CommandRow } from './rows.ts';

export interface WholeOptions {
  readonly folder: string;
  readonly rounds: number;
  /** Of the numbers of events that the goals are for. */
  readonly share: number;
  readonly signal: AbortSignal;
  readonly onStep: (about: string) => void;
  readonly onRow: (row: CommandRow) => void;
}

/** Writes so many million events, or their share, into a file with this ending. */
export type PathOfTrace = (millions: number, ending: string) => Promise<string>;

export const millionsOf = (millions: number, share: number): string => `${+(millions * share).toPrecision(2)} M events`;

/** One after the other. */
export async function times<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < rounds; round++) results.push(await work());
  return results;
}
