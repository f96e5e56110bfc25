import { createRandom } from '../../sim/contract/random.ts';
import { createEventBuilder } from '../../workloads/builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../../workloads/workload.ts';

/** A ring buffer of messages: the oldest block goes when a new one comes. */
export const ring = defineWorkload({
  name: 'ring',
  about: 'one thread keeps the last messages of random sizes',
  parameters: {
    messages: numberParameter(10000, 'messages', 'in all', { min: 1, max: 1e8 }),
    kept: numberParameter(100, 'messages', 'that are alive at once', { min: 1, max: 1e6 }),
    size: numberParameter(2000, 'bytes', 'of the largest message', { min: 1, max: 2 ** 31 }),
    seed: seedParameter(),
  },
  cpus: () => 1,
  generate({ messages, kept, size, seed }) {
    const events = createEventBuilder({ name: `ring of ${kept} messages`, rows: 2 * messages + 2 });
    const random = createRandom(seed, 'ring/sizes');
    const alive: number[] = [];
    for (let i = 0; i < messages; i++) {
      if (alive.length === kept) events.free(0, alive.shift()!);
      alive.push(events.malloc(0, random.integer(1, size)));
    }
    events.sample('full');
    for (const block of alive) events.free(0, block);
    events.sample('idle');
    return events.finish();
  },
});
