import { UserError } from './assert.ts';

/** Things by name, in the order of lists: those built in, then what plugins add. */
export interface Registry<T extends { readonly name: string }> {
  /** The same array for as long as the process lives; `add` makes it longer. */
  readonly all: readonly T[];
  /** Throws a UserError where the name is taken. */
  add(item: T): void;
}

export function createRegistry<T extends { readonly name: string }>(what: string, builtIn: readonly T[]): Registry<T> {
  const all = [...builtIn];
  return {
    all,
    add(item) {
      if (all.includes(item)) return;
      if (all.some((other) => other.name === item.name)) {
        throw new UserError(`${what} '${item.name}' is there already, expected another name`);
      }
      all.push(item);
    },
  };
}
