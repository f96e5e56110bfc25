/** What a table has under a name that somebody typed: `constructor` and the like are names of nothing. */
export const lookup = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;
