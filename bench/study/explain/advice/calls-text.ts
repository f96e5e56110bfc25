import { bytes } from '../../../../sim/contract/format.ts';
import type { Paste } from '../../paste.ts';
import type { Facts } from '../explanation.ts';
import type { ReturnPrediction } from '../heap/returns.ts';
import type { Finding } from '../mechanisms/mechanism.ts';
import { TRIM_IN_PYTHON } from '../recorded/python.ts';
import { savedBytes } from '../settings/orders.ts';
import type { WhatIf } from '../settings/what-if.ts';
import { FAR_MORE, LEAST_SAVING, WORTH_IT } from './advice.ts';

/** What the program can ask for, whatever is set. Nothing empties the caches of other threads. */
function requestOf({ returns, sample }: Facts): ReturnPrediction | undefined {
  const request = returns.find(({ flushesCaches }) => !flushesCaches) ?? returns[0];
  const isWorth = request.returnsBytes >= Math.max(LEAST_SAVING, sample.rssBytes * WORTH_IT);
  return isWorth ? request : undefined;
}

/** Whether a call of the program's gives back far more than the setting saves. */
export const returnsFarMore = (facts: Facts, setting: WhatIf): boolean =>
  (requestOf(facts)?.returnsBytes ?? 0) >= FAR_MORE * savedBytes(facts, setting);

/** Calls that the program itself can make here, and what they return. */
export function callSentences(facts: Facts, findings: readonly Finding[]): string[] {
  const request = requestOf(facts);
  const remedy = requestRemedy(facts)[0];
  return [
    ...findings.flatMap(({ call }) => call ?? []),
    ...(request && remedy
      ? [
          `A call of the program, whatever is set: ${callText(request)} gives ${bytes(request.returnsBytes)} back here (measured). What is used again afterwards comes in anew.`,
        ]
      : []),
  ];
}

const callText = ({ call }: ReturnPrediction): string =>
  call.startsWith('malloc_trim') ? call : `a ${call} of all arenas`;

/** The same, ready to paste. */
export function requestRemedy(facts: Facts): readonly Paste[] {
  const request = requestOf(facts);
  if (!request) return [];
  const about = `here: returns ${bytes(request.returnsBytes)}`;
  if (request.call.startsWith('malloc_trim')) {
    const [language, text] =
      facts.python === null ? ['C', 'malloc_trim(0); /* <malloc.h> */'] : ['Python', TRIM_IN_PYTHON];
    return [{ place: `${language}, ${about}`, text }];
  }
  return facts.run.allocator.startsWith('jemalloc') ? [{ place: `C, ${about}`, text: PURGE }] : [];
}

/** Of all arenas: MALLCTL_ARENAS_ALL is 4096. */
const PURGE = 'mallctl("arena.4096.purge", 0, 0, 0, 0); /* <jemalloc/jemalloc.h> */';
