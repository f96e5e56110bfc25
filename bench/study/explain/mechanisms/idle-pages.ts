import { bytes, duration } from '../../../../sim/contract/format.ts';
import { processorWaits } from '../../../../workloads/trace/processor-waits.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import { STOPPED_NS } from '../going-down/pauses.ts';
import { timeUntil } from '../heap/demand.ts';
import { type Finding, type Mechanism, type Situation, WORTH_FINDING } from './mechanism.ts';
import { BACKGROUND_THREAD, DECAY_OF_A_SECOND, PAGES_AT_ONCE } from './shared-settings.ts';

/** Dirty and muzzy pages of jemalloc: their time runs out, but only a thread that allocates looks at the clock. */
export const idlePages: Mechanism = {
  name: 'idle pages',
  detect(situation) {
    const { facts } = situation;
    if (!facts.run.allocator.includes('jemalloc')) return undefined;
    let dirty = 0;
    let muzzy = 0;
    for (const { name, residentBytes } of facts.areas) {
      if (name.startsWith('dirty extent')) dirty += residentBytes;
      else if (name.startsWith('muzzy extent')) muzzy += residentBytes;
    }
    if (dirty + muzzy < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const parts = [dirty > 0 ? `${bytes(dirty)} are dirty` : '', muzzy > 0 ? `${bytes(muzzy)} are muzzy` : ''];
    const who = facts.run.allocator.includes('background_thread=true')
      ? 'A background thread gives them back when it is.'
      : 'Without a background thread only threads that allocate or free look at the clock: an idle process keeps them.';
    return {
      mechanism: 'idle pages',
      bytes: dirty + muzzy,
      sentences: [
        `${parts.filter((p) => p).join(' and ')}: free pages that jemalloc keeps until their decay time is over. ${who}`,
      ],
      ...otherRuns(situation),
      settings: [
        BACKGROUND_THREAD,
        { allocator: 'jemalloc', options: { dirty_decay_ms: 1000 }, about: 'free pages go back within a second' },
        DECAY_OF_A_SECOND,
        PAGES_AT_ONCE,
      ],
    };
  },
};

/**
 * Decay goes by the clock, which goes on while a program waits for a processor, and when it comes changes what lies there, up or down. Where the
 * recorded one waited, the run as it is is made once more at other paces of the clock: without the waits, taken out as evenly as nobody knows
 * better, and at half of that, since the recorder's own work is in it. Of several threads nobody knows how far their recording took
 * longer than they do: that is said where it makes a difference.
 */
function otherRuns({ events, facts }: Situation): Pick<Finding, 'others'> {
  const worth = facts.sample.rssBytes * WORTH_FINDING;
  const recordedNs = timeUntil(events, events.length);
  if (facts.threads > 1) {
    if (recordedNs === 0 || !isRecorded(events.source)) return {};
    const lead =
      'A recorded program of several threads takes longer than it does alone, nobody knows by how much, and decay goes by the clock: between the recorded pace and a quarter of it';
    return { others: { paces: [1 / 2, 1 / 4], keptFromNs: STOPPED_NS, lead, leastBytes: worth } };
  }
  const waitedNs = processorWaits(events);
  if (waitedNs < recordedNs * WORTH_FINDING || waitedNs >= recordedNs) return {};
  const own = 1 - waitedNs / recordedNs;
  const lead = `Of the ${duration(recordedNs)} that were recorded the program waited ${duration(waitedNs)} for a processor: others had it, the recorder among them. Decay goes by the clock: with these waits, without them and at half of that pace`;
  return { others: { paces: [own, own / 2], lead, leastBytes: 0 } };
}
