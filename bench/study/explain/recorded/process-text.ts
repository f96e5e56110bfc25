import { bytes, count, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Facts } from '../explanation.ts';
import { lookText } from './process-at.ts';
import { ARENAS_SENTENCE } from './python.ts';
import { recordingSentences } from './recording-text.ts';

/** A simulation that is further from what was recorded than this share of it stands for something else. */
const FAR_OFF = 0.25;
/** Looks at which the simulated heap differs by no more are of the same state. */
const MUCH_ALIKE = 0.1;

/** Where the recorded process held far less or more than is simulated: at the moment, or at a look that is much like it; else at its peak. */
export function farOffSentences(facts: Facts): string[] {
  const { process, sample } = facts;
  if (!process || sample.rssBytes === 0) return [];
  if (!isComparable(facts)) return farOffAtPeak(facts);
  return isFarOff(process.inBlocks, sample.rssBytes)
    ? [
        `The recorded process had ${apartText(process.inBlocks)} in its heap than is simulated here (${percent(Math.abs(process.inBlocks) / sample.rssBytes)}): ${NO_SETTING}`,
      ]
    : [];
}

function farOffAtPeak({ recording, forked }: Facts): string[] {
  if (!recording?.peak || forked) return [];
  const { recordedBytes, simulatedBytes } = recording.peak;
  const more = recordedBytes - simulatedBytes;
  if (!isFarOff(more, simulatedBytes)) return [];
  return [
    `At its peak the recorded process had ${apartText(more)} in its heap than is simulated (${bytes(recordedBytes)}, not ${bytes(simulatedBytes)}), and what is judged here was not compared with it: ${NO_SETTING}`,
  ];
}

const NO_SETTING =
  'what follows is of the simulation, and no setting is advised. Another recording may come nearer (sim record --sample-every looks more often).';

const isFarOff = (more: Bytes, simulated: Bytes): boolean => Math.abs(more) >= simulated * FAR_OFF;

const apartText = (more: Bytes): string => `${bytes(Math.abs(more))} ${more < 0 ? 'less' : 'more'}`;

/**
 * Whether about as much is simulated at the look as at the moment: then what was recorded there tells of the moment. What ran under
 * another allocator tells nothing of it.
 */
export const isComparable = ({ process, processEventsLater, sample, recording }: Facts): boolean =>
  process !== null &&
  !recording?.under &&
  (processEventsLater === 0 || Math.abs(process.heap - sample.rssBytes) <= sample.rssBytes * MUCH_ALIKE);

/** What the real process has beside what is judged here, and what it shares. */
export function processSentences(facts: Facts): string[] {
  const { process, processEventsLater, python, forked, recording } = facts;
  const shared =
    forked === null
      ? []
      : [
          `The process was forked at event ${count(forked.event)}, when ${bytes(forked.bytes)} of its heap were resident: of these, pages that neither it nor the one that forked it has written since are in memory once for both, so that their figures add up to more than they take.`,
        ];
  if (!process) return shared;
  const own = process.anonymous + process.stack + process.data;
  const had =
    processEventsLater === 0
      ? 'has'
      : `had, when the recorder looked nearest to here (${lookText(processEventsLater)}),`;
  const elsewhere =
    recording?.under || isComparable(facts)
      ? ''
      : ` There the heap was another, ${bytes(process.heap)}: what is judged here was not compared with the process.`;
  return [
    `That is the heap. The recorded process ${had} ${bytes(own)} of its own beside it (stacks, data of programs and libraries, other mappings) and ${bytes(process.files)} of files.${elsewhere}`,
    ...recordingSentences(facts),
    ...shared,
    ...(python === 'arenas' ? [ARENAS_SENTENCE] : []),
  ];
}
