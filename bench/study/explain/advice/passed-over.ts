import { bytes, count, duration, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Facts } from '../explanation.ts';
import { worstBytes } from '../settings/orders.ts';
import type { WhatIf } from '../settings/what-if.ts';
import {
  type Advice,
  type Allowed,
  enoughBytes,
  hasHigherPeak,
  isBackAndForth,
  isBetterBuy,
  isNoLess,
  isTooSlow,
  isVersion,
  mayLeave,
  moreWork,
  takenOf,
  waitsLonger,
  worksAlike,
} from './advice.ts';
import { residentText, signed } from './range-text.ts';

/** Why a setting is no advice: a bound that it breaks, or what it leaves in other orders. */
interface Reason {
  readonly kind: 'orders' | 'faults' | 'work' | 'more' | 'peak' | 'waits';
  readonly text: string;
}

/** A setting that leaves less than what is told, or may, and why it is no advice. */
interface PassedOver {
  readonly whatIf: WhatIf;
  readonly reasons: readonly Reason[];
}

/** Settings that leave less than what is advised or named with its price, or may, and why they are not; those that break the same bounds together. */
export function passedOver(facts: Facts, advice: Advice, whatIf: readonly WhatIf[], allowed: Allowed): string[] {
  const told = [advice.memory, advice.costly].filter((w) => w !== null);
  if (told.length === 0) return [];
  const enough = enoughBytes(facts);
  const clearly = Math.min(...told.map(worstBytes)) - enough;
  const perhaps = Math.min(...told.map(mayLeave)) - enough;
  const parts = ({ setting }: WhatIf) => setting.split(',').length;
  const others = whatIf
    .filter((w) => !told.includes(w) && !w.failed && !isVersion(w))
    .filter((w) => worstBytes(w) <= clearly || mayLeave(w) <= perhaps)
    .sort((x, y) => parts(x) - parts(y) || worstBytes(x) - worstBytes(y));
  const byKinds = new Map<string, PassedOver[]>();
  const named: WhatIf[] = [];
  for (const w of others) {
    const reasons = reasonsAgainst(facts, w, told[0]!, clearly, allowed);
    if (reasons.length === 0 || named.some((other) => isNoLess(facts, w, other))) continue;
    named.push(w);
    const kinds = reasons.map(({ kind }) => kind).join();
    byKinds.set(kinds, [...(byKinds.get(kinds) ?? []), { whatIf: w, reasons }]);
  }
  return [...byKinds.values()].map((alike) => passedOverText(facts, alike, clearly));
}

function passedOverText(facts: Facts, [first, ...alike]: readonly PassedOver[], clearly: Bytes): string {
  const { whatIf, reasons } = first!;
  const may = worstBytes(whatIf) > clearly ? 'may' : 'would';
  const named = (w: WhatIf) => `${w.setting} (${residentText(w, facts.threads)})`;
  const so = alike.length === 0 ? '' : ` So it is with ${listed(alike.map((one) => named(one.whatIf)))}.`;
  return `Less ${may} stay with ${named(whatIf)}, but ${listed(reasons.map(({ text }) => text))}: no advice.${so}`;
}

const listed = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;

/** `clearly`: what leaves no more than that is clearly less than what is told. */
function reasonsAgainst(facts: Facts, w: WhatIf, told: WhatIf, clearly: Bytes, allowed: Allowed): readonly Reason[] {
  const { times, rssPeakBytes } = facts;
  const reasons: Reason[] = [];
  const add = (kind: Reason['kind'], text: string) => void reasons.push({ kind, text });
  if (isBackAndForth(facts, w, allowed)) {
    const { faults, syscalls } = takenOf(facts, w);
    const [before, now] = [faults[0] + syscalls[0], faults[1] + syscalls[1]];
    add('faults', `page faults and calls grow from ${count(before)} to ${count(now)}`);
  }
  const of = facts.programNs === null ? 'work' : 'the program’s processor time';
  if (isTooSlow(facts, w, allowed)) {
    add('work', `${of} grows by ${percent(moreWork(facts, w))}, a larger share than the process shrinks by`);
  } else if (isBetterBuy(facts, told, w)) {
    const [own, other] = worksAlike(facts, w, told).map(signed);
    add('more', `${of} changes by ${own} instead of ${other}, by more than it saves beyond that`);
  }
  if (hasHigherPeak(facts, w)) add('peak', `the peak grows from ${bytes(rssPeakBytes)} to ${bytes(w.rssPeakBytes)}`);
  if (waitsLonger(facts, w)) {
    const [before, now] = [times!.lockWaitNs ?? 0, w.lockWaitNs!].map(duration);
    add('waits', `waits for locks grow from ${before} to ${now}, by more than a twentieth of the threads’ time`);
  }
  if (reasons.length === 0 && worstBytes(w) > clearly) {
    const [own, other] = [worstBytes(w), worstBytes(told)];
    const than = own > other ? `some runs leave ${bytes(own)}` : `some runs leave hardly less, ${bytes(own)}`;
    add('orders', `${than} (with ${told.setting} ${bytes(other)} at most)`);
  }
  return reasons;
}
