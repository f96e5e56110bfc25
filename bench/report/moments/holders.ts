import type { BlockNames } from '../page-data.ts';
import type { Births } from './births.ts';

/** Who holds a block: the event, the thread and the line of code that allocated it. */
export interface Holders {
  readonly births: Births;
  /** Names the call site of an allocating event, '' where it is not known. */
  readonly siteOf: (event: number) => string;
}

/** What is known of the blocks that these events allocated, as columns; those of which nothing is known are empty. */
export function blockNames(events: readonly number[], { births, siteOf }: Holders): BlockNames {
  const names = new Map<string, number>();
  const site = events.map((event) => {
    const name = event < 0 ? '' : siteOf(event);
    if (!names.has(name)) names.set(name, names.size);
    return names.get(name)!;
  });
  const ns = events.map((event) => (event < 0 ? -1 : Math.round(births.nsOf(event))));
  const isSited = [...names.keys()].some((name) => name !== '');
  return {
    event: events.some((event) => event >= 0) ? events : [],
    ns: ns.some((at) => at >= 0) ? ns : [],
    thread: events.map((event) => (event < 0 ? -1 : births.threadOf(event))),
    site: isSited ? site : [],
    siteNames: isSited ? [...names.keys()] : [],
  };
}
