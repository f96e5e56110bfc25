import { BREATH_STEPS } from '../breathing.ts';
import { type BlockId, createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, type TextParameter } from '../workload.ts';

/** Which blocks outlive the spike. */
const PLACES = ['spread', 'last', 'none'] as const;

const placeParameter: TextParameter = {
  kind: 'text',
  default: 'spread',
  unit: '',
  about: 'where the blocks that stay are: spread over all, last, or none',
  problem: (given) => (PLACES.some((place) => place === given) ? undefined : PLACES.join(' or ')),
};

/**
 * A spike of memory and what is left of it: every thread fills its heap with blocks of one size, then frees all but a few. Where
 * those are decides what an allocator can give back; threads that are busy keep all of theirs.
 */
export const spike = defineWorkload({
  name: 'spike',
  about: 'every thread fills its heap and frees all but a few blocks: what stays behind a burst, and why',
  parameters: {
    threads: numberParameter(0, 'threads', 'beside the main thread that do so; 0: the main thread does', {
      min: 0,
      max: 4096,
    }),
    bytes: numberParameter(32 * 2 ** 20, 'bytes', 'of each thread at the peak', { min: 1024, max: 2 ** 34 }),
    size: numberParameter(4000, 'bytes', 'of each block', { min: 1, max: 2 ** 24 }),
    stay: numberParameter(8, 'blocks', 'of each thread that outlive it', { min: 0, max: 1e6 }),
    place: placeParameter,
    busy: numberParameter(0, 'threads', 'of them that keep all their blocks', { min: 0, max: 4096 }),
  },
  cpus: ({ threads }) => Math.max(1, threads),
  *generate({ threads, bytes, size, stay, place, busy }) {
    const blocks = Math.max(1, Math.floor(bytes / size));
    const team = threads === 0 ? [0] : Array.from({ length: threads }, (_, i) => i + 1);
    const events = createEventBuilder({
      name: `spike ${team.length} times ${blocks} blocks of ${size} bytes`,
      rows: 2 * team.length * blocks + team.length + 2,
    });
    for (const thread of team) if (thread > 0) events.threadBegin(thread);
    const held = team.map((): BlockId[] => []);
    for (const [i, thread] of team.entries()) {
      for (let left = blocks; left > 0; left--) {
        held[i]!.push(events.malloc(thread, size));
        if (left % BREATH_STEPS === 0) yield;
      }
    }
    events.sample('peak');
    const stays = (index: number): boolean => {
      if (place === 'none' || stay === 0) return false;
      if (place === 'last') return index >= blocks - stay;
      return stay >= blocks || index % Math.ceil(blocks / stay) === 0;
    };
    team.forEach((thread, i) => {
      if (i < busy) return;
      held[i]!.forEach((block, index) => {
        if (!stays(index)) events.free(thread, block);
      });
    });
    events.sample('end');
    return events.finish();
  },
});
