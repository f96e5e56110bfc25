import { type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import type { Facts } from './explanation.ts';
import type { Finding } from './mechanisms/mechanism.ts';
import { worstBytes } from './orders.ts';
import { callsOf, type WhatIf } from './what-if.ts';

/** A setting that saves less than this share is no advice. */
export const WORTH_IT = 0.05;
/** Where the faults are to go down, at least by this share of them. */
const FEWER_FAULTS = 0.5;
/** For fewer faults at most so many times as much may be resident, now and at the peak. */
const MORE_MEMORY = 2;

export interface Advice {
  readonly best: WhatIf | null;
  /** What is to be lowered. */
  readonly lowers: 'rssBytes' | 'faults';
  /** A newer version that does as well, or helps where nothing else does. */
  readonly version: WhatIf | null;
  /** Lowers the resident bytes, but moves memory back and forth for it. */
  readonly costly: WhatIf | null;
  /** Lowers the resident bytes in some orders of the threads' calls, and not in others. */
  readonly uncertain: WhatIf | null;
}

/** What a setting takes in exchange: pages that come in anew, and calls, beyond those of the run as it is. */
export function costOf(w: WhatIf, { sample }: Facts): number {
  return Math.max(0, w.faults - sample.faults) + Math.max(0, w.syscalls - callsOf(sample.syscalls));
}

/**
 * The setting that saves most for what it costs, in the worst order of the threads' calls. One with more than twice the faults and calls, which are also more than
 * the pages that it saves, moves memory back and forth: it is named as costly and not advised.
 */
export function adviseOn(facts: Facts, findings: readonly Finding[], whatIf: readonly WhatIf[], peak: Bytes): Advice {
  const { sample } = facts;
  const sound = whatIf.filter((w) => !w.failed);
  const fewer = findings.some((f) => f.lowers === 'faults') ? fewerFaults(facts, sound, peak) : null;
  if (fewer) return { best: fewer, lowers: 'faults', version: null, costly: null, uncertain: null };
  const isEnough = (rssBytes: Bytes) => rssBytes < sample.rssBytes * (1 - WORTH_IT);
  const saving = sound.filter((w) => isEnough(worstBytes(w)));
  const paid = sample.faults + callsOf(sample.syscalls);
  const isFair = (w: WhatIf) => {
    const cost = costOf(w, facts);
    return cost <= paid || cost * PAGE_BYTES <= sample.rssBytes - worstBytes(w);
  };
  const isVersion = (w: WhatIf) => w.paste === null && w.thp === null;
  const best = cheapestOfBest(
    facts,
    findings,
    saving.filter((w) => isFair(w) && !isVersion(w)),
  );
  return {
    best,
    lowers: 'rssBytes',
    version: cheapestOfBest(
      facts,
      findings,
      saving.filter((w) => isFair(w) && isVersion(w)),
    ),
    costly: best
      ? null
      : cheapestOfBest(
          facts,
          findings,
          saving.filter((w) => !isFair(w) && !isVersion(w)),
        ),
    uncertain: best
      ? null
      : (sound.find((w) => w.orders && isEnough(w.orders.leastBytes) && !isEnough(worstBytes(w))) ?? null),
  };
}

/**
 * Of those that come near the best one, what mends the mechanism that accounts for most; then what a
 * variable of the environment sets, with the fewest settings; then the one that costs least.
 */
function cheapestOfBest(facts: Facts, findings: readonly Finding[], candidates: readonly WhatIf[]): WhatIf | null {
  if (candidates.length === 0) return null;
  const least = Math.min(...candidates.map(worstBytes));
  const near = candidates.filter((w) => worstBytes(w) - least <= facts.sample.rssBytes * WORTH_IT);
  const rank = ({ mechanism }: WhatIf) => {
    const place = findings.findIndex((f) => f.mechanism === mechanism);
    return place < 0 ? findings.length : place;
  };
  const price = (w: WhatIf) => w.faults + w.syscalls;
  const parts = (w: WhatIf) => w.setting.split(',').length;
  const unset = (w: WhatIf) => (w.paste === null ? 1 : 0);
  const order = (x: WhatIf, y: WhatIf) =>
    rank(x) - rank(y) || unset(x) - unset(y) || parts(x) - parts(y) || price(x) - price(y);
  return near.reduce((best, w) => (order(w, best) < 0 ? w : best));
}

function fewerFaults({ sample }: Facts, sound: readonly WhatIf[], peak: Bytes): WhatIf | null {
  const candidates = sound.filter(
    (w) =>
      w.paste !== null &&
      w.faults <= sample.faults * (1 - FEWER_FAULTS) &&
      w.rssPeakBytes <= MORE_MEMORY * peak &&
      w.rssBytes <= MORE_MEMORY * peak,
  );
  if (candidates.length === 0) return null;
  const least = Math.min(...candidates.map((w) => w.faults));
  return candidates
    .filter((w) => w.faults <= least + sample.faults * WORTH_IT)
    .reduce((best, w) => (w.rssBytes < best.rssBytes ? w : best));
}
