import type { Faulting } from '../kernel/gup.ts';
import type { Task } from '../kernel/kernel.ts';
import type { MachineRun, ScriptProcess } from './machine-run.ts';
import { sizeOf } from './parse.ts';
import type { Pause } from './pause.ts';

/** What a call answers: a number, or the name of its error. */
export type Result = number | string;
/** A call that may stop on its way. */
export type Call = Generator<Pause, Result>;
/** A call that answers at once. */
export type Immediate = (run: MachineRun, process: ScriptProcess, words: readonly string[]) => Result;
/** One that may fault pages in, between which others have their turn. */
export type MayFault = (run: MachineRun, process: ScriptProcess, words: readonly string[]) => Result | Faulting;

export const has = (words: readonly string[], word: string): boolean => words.includes(word);

/** The size after `key=`. */
export const option = (words: readonly string[], key: string): number | undefined => {
  const found = words.find((word) => word.startsWith(`${key}=`));
  return found === undefined ? undefined : sizeOf(found.slice(key.length + 1));
};

export const pagesOf = (bytes: number): number => Math.ceil(bytes / 4096);

/** First page and number of pages of `A OFF LEN`. */
export function range(run: MachineRun, task: Task, words: readonly string[]): { start: number; pages: number } {
  const start = run.addressOf(words[0]!, task) + sizeOf(words[1]!)!;
  return { start: Math.floor(start / 4096), pages: pagesOf(sizeOf(words[2]!)!) };
}
