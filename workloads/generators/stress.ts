import type { Touch } from '../../sim/contract/event.ts';
import { createRandom } from '../../sim/contract/random.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, oneOf, seedParameter, type TextParameter } from '../workload.ts';
import { LiveBlocks } from './live-blocks.ts';
import { STRESS_PROFILES } from './stress-profiles.ts';

const PROFILES = Object.keys(STRESS_PROFILES);
/** In place of a touch: as the profile likes. */
const OWN_TOUCH = 'own';
const TOUCHES = [OWN_TOUCH, 'full', 'first', 'none'];

function oneOfNames(value: string, names: readonly string[], about: string): TextParameter {
  const problem = (found: string) => (names.includes(found) ? undefined : oneOf(found, names));
  return { kind: 'text', default: value, unit: '', about, problem };
}

/** Random programs that drive an allocator into its corners: what models are compared with their originals on. */
export const stress = defineWorkload({
  name: 'stress',
  about: 'a random program that aims at one mechanism of an allocator, for comparisons with the real one',
  parameters: {
    profile: oneOfNames('mix', PROFILES, `what it aims at: ${PROFILES.join(', ')}`),
    events: numberParameter(20000, 'events', 'about so many', { min: 1, max: 1e8 }),
    threads: numberParameter(4, 'threads', 'for the profiles that use several', { min: 1, max: 4096 }),
    touch: oneOfNames(OWN_TOUCH, TOUCHES, 'what is written into fresh blocks: full, first, none, or the profile’s own'),
    seed: seedParameter(),
  },
  cpus: () => 2,
  *generate({ profile: name, events: budget, threads, touch, seed }) {
    const profile = STRESS_PROFILES[name]!;
    const events = createEventBuilder({
      name: `stress ${name} ${seed}`,
      touch: touch === OWN_TOUCH ? profile.touch : (touch as Touch),
      rows: budget,
    });
    const random = createRandom(seed, `stress/${name}`);
    const live = new LiveBlocks(events, random);
    yield* profile.write({ events, live, random, threads, done: () => events.length >= budget });
    events.sample('end');
    return events.finish();
  },
});
