/**
 * The calls of jemalloc's mallctl that a CTL event can make, by their names in its manual, `<i>` the number of an arena: those
 * that change what stays resident. The index in this table is part of the binary form.
 */
export const MALLCTL_NAMES = [
  'arena.<i>.purge',
  'arena.<i>.decay',
  'arena.<i>.dirty_decay_ms',
  'arena.<i>.muzzy_decay_ms',
  'arenas.dirty_decay_ms',
  'arenas.muzzy_decay_ms',
  'background_thread',
  'max_background_threads',
  'thread.tcache.flush',
] as const;
export type MallctlName = (typeof MALLCTL_NAMES)[number];

/** MALLCTL_ARENAS_ALL: the number that stands for all arenas. */
export const ARENAS_ALL = 4096;

/** One call. */
export interface Mallctl {
  readonly name: MallctlName;
  /** 0 for a name without `<i>`. */
  readonly arena: number;
  /** What is set, an int32: milliseconds with -1 for never, threads, or whether; 0 for a name that sets nothing. */
  readonly value: number;
}

const ARENA_SHIFT = 8;
const NAME_MASK = 255;

/** Whether the call sets something. */
export const setsValue = (name: MallctlName): boolean => /_ms$|background_thread/.test(name);

/** Name and arena in one number: `a` of the event. */
export function packMallctl({ name, arena }: Mallctl): number {
  return (arena << ARENA_SHIFT) | MALLCTL_NAMES.indexOf(name);
}

/** From `a` and `b` of an event; undefined where they name nothing. */
export function unpackMallctl(a: number, b: number): Mallctl | undefined {
  const name = MALLCTL_NAMES[a & NAME_MASK];
  const arena = a >>> ARENA_SHIFT;
  if (name === undefined || arena > (name.includes('<i>') ? ARENAS_ALL : 0)) return undefined;
  return isValueOf(name, b | 0) ? { name, arena, value: b | 0 } : undefined;
}

/** Whether the call takes such a value. */
export function isValueOf(name: MallctlName, value: number): boolean {
  if (!setsValue(name)) return value === 0;
  if (name === 'background_thread') return value === 0 || value === 1;
  return value >= (name === 'max_background_threads' ? 1 : -1);
}

/** As a program spells it: `arena.3.purge`, with the value behind it where there is one. */
export function formatMallctl({ name, arena, value }: Mallctl): string {
  const spelled = name.replace('<i>', String(arena));
  return setsValue(name) ? `${spelled} ${value}` : spelled;
}

/** The name and the arena of `arena.3.purge`. */
export function parseMallctlName(text: string): { readonly name: MallctlName; readonly arena: number } | undefined {
  const name = text.replace(/^arena\.\d+\./, 'arena.<i>.') as MallctlName;
  if (!MALLCTL_NAMES.includes(name)) return undefined;
  const arena = Number(/^arena\.(\d+)\./.exec(text)?.[1] ?? 0);
  return arena <= ARENAS_ALL ? { name, arena } : undefined;
}
