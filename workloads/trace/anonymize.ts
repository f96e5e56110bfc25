import { type EventBuffer, NO_FACTS } from '../../sim/contract/event.ts';
import { NO_FRAME } from './call-sites.ts';

/**
 * Sizes, order and times alone: no names, no call sites, no settings of the environment, no numbers of processes and
 * threads but their order. Sample points keep their places, as sample 1, 2, …; what the kernel said at them are numbers.
 */
export function anonymizeTrace(events: EventBuffer): EventBuffer {
  const numbers = new Map<number, number>([[0, 0]]);
  const begins = events.begins.map((begin) => {
    if (!numbers.has(begin.id)) numbers.set(begin.id, numbers.size);
    return { ...begin, id: numbers.get(begin.id)! };
  });
  return {
    ...events,
    name: '',
    source: '',
    labels: events.labels.map((_, i) => `sample ${i + 1}`),
    begins,
    sites: undefined,
    frames: [NO_FRAME],
    siteParent: new Int32Array(1),
    siteFrame: new Int32Array(1),
    recorded: NO_FACTS,
  };
}
