import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { Facts } from '../explanation.ts';
import type { Finding } from '../mechanisms/mechanism.ts';
import { FEWER_FAULTS } from '../mechanisms/mechanism.ts';
import { hasSharedHeaps, savedBytes, worstBytes } from '../settings/orders.ts';
import { optionNames, setsDefaults } from '../settings/setting.ts';
import { callsOf, type WhatIf } from '../settings/what-if.ts';

/** A setting that saves less than this share of the process's own memory is no advice. */
export const WORTH_IT = 0.05;
/** Nor one that saves less than glibc leaves free at the end of every heap unasked, DEFAULT_TRIM_THRESHOLD of malloc.c. */
export const LEAST_SAVING: Bytes = 128 * 1024;
/** The peak may grow by this share, as in tune. */
const HIGHER_PEAK = 0.1;
/** What threads may wait longer for locks, of all the time that they have. */
const LONGER_WAITS = 0.05;
/** For fewer faults at most so many times as much may be resident, now and at the peak. */
const MORE_MEMORY = 2;

/** Of what a setting saves for its work: by so much less it is still as good. */
const NO_MATTER = 0.1;

/** What saves so many times as much as what is advised is named beside it, at its price. */
export const FAR_MORE = 2;

/** Of what costs too much so many are timed; one of these is named. */
const PRICED = 2;

/** Each page more that stays resident must spare so many faults. */
const FAULTS_A_PAGE = 8;

/** Two questions, each with an answer of its own: they may be one setting. */
export interface Advice {
  /** Lowers the resident bytes most for a fair price. */
  readonly memory: WhatIf | null;
  /** Where memory goes back and forth: spares most page faults. */
  readonly faults: WhatIf | null;
  /** A newer version that does as well, or helps where nothing else does. */
  readonly version: WhatIf | null;
  /** Lowers the resident bytes, and far more than `memory` where there is one, for more than a fair price. */
  readonly costly: WhatIf | null;
  /** Lowers the resident bytes in some orders of the threads' calls, and not in others; or never leaves what some of them leave as it is. */
  readonly uncertain: WhatIf | null;
}

export const NO_ADVICE: Advice = { memory: null, faults: null, version: null, costly: null, uncertain: null };

/** Pages that come in anew, and calls, as it is and with the setting: in virtual time where threads that share heaps were timed. */
export function takenOf(facts: Facts, w: WhatIf): { faults: [number, number]; syscalls: [number, number] } {
  const { sample, times } = facts;
  if (hasSharedHeaps(w) && times && w.timedFaults !== null && w.timedSyscalls !== null) {
    return { faults: [times.faults, w.timedFaults], syscalls: [times.syscalls, w.timedSyscalls] };
  }
  return { faults: [sample.faults, w.faults], syscalls: [callsOf(sample.syscalls), w.syscalls] };
}

/** What the process has of its own: without files, which others may share. The heap alone where nothing more was recorded. */
export function ownBytes({ sample, process }: Pick<Facts, 'sample' | 'process'>): Bytes {
  return sample.rssBytes + (process ? process.anonymous + process.stack + process.data : 0);
}

/** The faults that are simulated are not those of a program that asks for huge pages itself. */
export const hasOwnHugePages = ({ recording }: Pick<Facts, 'recording'>): boolean => (recording?.advisedBytes ?? 0) > 0;

/** What a setting must save. */
export const enoughBytes = (facts: Pick<Facts, 'sample' | 'process'>): Bytes =>
  Math.max(LEAST_SAVING, ownBytes(facts) * WORTH_IT);

/** No block lives: what the heap keeps is either taken again by the next work, or never. */
export const isDead = ({ sample }: Pick<Facts, 'sample'>): boolean => sample.liveBlocks === 0 && sample.rssBytes > 0;

/**
 * By which share work grows, of what the program takes in all where that was recorded, else of the allocator's: in virtual time where that was asked for,
 * in the middle of what orders of the threads' calls take, else as it was counted.
 */
export function moreWork(facts: Facts, w: WhatIf): number {
  const [least, most] = moreWorkRange(facts, w);
  return (least + most) / 2;
}

/** The same in the orders in which it is least and most. */
export function moreWorkRange({ times, workNs, programNs }: Facts, w: WhatIf): readonly [number, number] {
  const isTimed = times !== null && times.cpuNs > 0 && w.cpuNs !== null;
  const before = isTimed ? times.cpuNs : workNs;
  const share = (now: number) => (before > 0 ? (now - before) / Math.max(before, programNs ?? 0) : 0);
  return isTimed ? [share(w.cpuNs), share(w.cpuMostNs ?? w.cpuNs)] : [share(w.workNs), share(w.workNs)];
}

/** In the middle of what it leaves. */
function likelySaved(facts: Facts, w: WhatIf): Bytes {
  const { orders } = w;
  return orders ? facts.sample.rssBytes - (orders.leastBytes + orders.mostBytes) / 2 : savedBytes(facts, w);
}

/** Whether the work, timed, grows by a larger share than the process gets smaller, and by more than was allowed. */
export function isTooSlow(facts: Facts, w: WhatIf, { allowedWork = 0 }: Allowed = {}): boolean {
  if (!facts.times || w.cpuNs === null) return false;
  return moreWork(facts, w) > Math.max(allowedWork, likelySaved(facts, w) / ownBytes(facts));
}

/**
 * Faults and calls more than double, and grow by more than the pages that are saved. Where no block lives nothing but what is taken
 * again tells what the memory is worth: they grow at all. Who allows more work pays for it in work, and nothing else bounds it.
 */
export function isBackAndForth(facts: Facts, w: WhatIf, { allowedWork = 0 }: Allowed = {}): boolean {
  if (allowedWork > 0 && moreWork(facts, w) <= allowedWork) return false;
  const { faults, syscalls } = takenOf(facts, w);
  const before = faults[0] + syscalls[0];
  const cost = Math.max(0, faults[1] - faults[0]) + Math.max(0, syscalls[1] - syscalls[0]);
  if (isDead(facts)) return cost > before * WORTH_IT;
  return cost > before && cost * PAGE_BYTES > savedBytes(facts, w);
}

/**
 * Whether a setting costs no more than it is worth:
 * - it does not move memory back and forth;
 * - work grows by no larger share than the process gets smaller;
 * - or work grows by no more than was allowed, and that is all;
 * - the peak, and waits for locks, hardly grow.
 */
export const isFair = (facts: Facts, w: WhatIf, allowed: Allowed): boolean =>
  !isBackAndForth(facts, w, allowed) &&
  !isTooSlow(facts, w, allowed) &&
  !hasHigherPeak(facts, w) &&
  !waitsLonger(facts, w);

export const hasHigherPeak = ({ rssPeakBytes }: Facts, w: WhatIf): boolean =>
  w.rssPeakBytes > Math.max(rssPeakBytes * (1 + HIGHER_PEAK), rssPeakBytes + LEAST_SAVING);

/** Of traces with times. */
export function waitsLonger({ times }: Facts, { lockWaitNs }: WhatIf): boolean {
  if (!times || lockWaitNs === null) return false;
  const waits = lockWaitNs - (times.lockWaitNs ?? 0);
  return waits > 0 && waits > times.threadNs * LONGER_WAITS;
}

/** Another version of the allocator: no setting. */
export const isVersion = ({ paste, thp }: WhatIf): boolean => paste === null && thp === null;

/** What the reader is ready to pay. */
export interface Allowed {
  /** By which share the work may grow, whatever is saved. */
  readonly allowedWork?: number;
}

/** The setting that saves most for a fair price, in the worst order of the threads' calls; where memory goes back and forth, also that which stops it. */
export function adviseOn(
  facts: Facts,
  findings: readonly Finding[],
  whatIf: readonly WhatIf[],
  allowed: Allowed = {},
): Advice {
  const { sample } = facts;
  const sound = whatIf.filter((w) => !w.failed);
  const hasFaults = findings.some((f) => f.lowers === 'faults') && !hasOwnHugePages(facts);
  const faults = hasFaults ? fewerFaults(facts, sound) : null;
  const least = enoughBytes(facts);
  const saving = sound.filter((w) => savedBytes(facts, w) >= least);
  const fair = (w: WhatIf) => isFair(facts, w, allowed);
  const memory = cheapestOfBest(
    facts,
    findings,
    saving.filter((w) => fair(w) && !isVersion(w)),
  );
  const version = cheapestOfBest(
    facts,
    findings,
    saving.filter((w) => fair(w) && isVersion(w)),
  );
  const unfair = saving.filter((w) => !fair(w) && !isVersion(w));
  if (memory) {
    // What saves far more is worth knowing, whatever it takes.
    const far = saving.filter((w) => !isVersion(w) && savedBytes(facts, w) >= FAR_MORE * savedBytes(facts, memory));
    const costly = cheapestOfBest(facts, findings, mostForItsPrice(facts, pricedOf(far)));
    return { memory, faults, version: faults ? null : version, costly, uncertain: null };
  }
  const costly = cheapestOfBest(facts, findings, mostForItsPrice(facts, pricedOf(unfair)));
  if (faults) return { memory, faults, version: null, costly, uncertain: null };
  return {
    memory,
    faults,
    version,
    costly,
    uncertain: mostLikely(
      sound.filter(
        (w) =>
          !isVersion(w) &&
          savedBytes(facts, w) < least &&
          (mayLeave(w) <= sample.rssBytes - least || sparesWorst(facts, w)),
      ),
    ),
  };
}

/** Whether it never leaves what the run as it is leaves in some orders, and takes no more for that than it is worth. */
export function sparesWorst(facts: Facts, w: WhatIf): boolean {
  const { orders } = facts;
  if (!orders || !w.orders) return false;
  const spared = (orders.leastBytes + orders.mostBytes) / 2 - worstBytes(w);
  return (
    worstBytes(w) <= orders.mostBytes - enoughBytes(facts) &&
    moreWork(facts, w) <= Math.max(WORTH_IT, spared / ownBytes(facts)) &&
    !hasHigherPeak(facts, w) &&
    !waitsLonger(facts, w)
  );
}

/** The least in any run that was made. */
export const mayLeave = ({ rssBytes, orders }: WhatIf): Bytes => orders?.leastBytes ?? rssBytes;

/** Of settings with a range the one that leaves least in the middle of it. */
function mostLikely(candidates: readonly WhatIf[]): WhatIf | null {
  const middle = ({ orders }: WhatIf): Bytes => (orders ? (orders.leastBytes + orders.mostBytes) / 2 : Infinity);
  const ranged = candidates.filter(({ orders }) => orders);
  return ranged.length === 0 ? null : ranged.reduce((best, w) => (middle(w) < middle(best) ? w : best));
}

/** A setting that is advised, and for what. */
export interface Advised {
  readonly whatIf: WhatIf;
  readonly lowers: 'memory' | 'faults' | 'both';
}

/** The answer to what most of the memory is comes first: to free memory that which lowers it. */
export function advisedIn({ memory, faults }: Advice, isFree: boolean): Advised[] {
  if (memory && memory === faults) return [{ whatIf: memory, lowers: 'both' }];
  const answers: Advised[] = [
    ...(memory ? [{ whatIf: memory, lowers: 'memory' as const }] : []),
    ...(faults ? [{ whatIf: faults, lowers: 'faults' as const }] : []),
  ];
  return isFree ? answers : answers.reverse();
}

/** What `w` takes more work than `other`, in per cent, is more than it saves more of the process, and no trifle. */
export function isBetterBuy(facts: Facts, other: WhatIf, w: WhatIf): boolean {
  const [own, others] = worksAlike(facts, w, other);
  return own - others > worthOfMore(facts, other, w);
}

/** What both take more: timed where both were, else as it was counted. */
export function worksAlike(facts: Facts, w: WhatIf, other: WhatIf): readonly [number, number] {
  const areTimed = w.cpuNs !== null && other.cpuNs !== null;
  const work = (one: WhatIf) => moreWork(facts, areTimed ? one : { ...one, cpuNs: null });
  return [work(w), work(other)];
}

/** The same of what the two cost: work that `other` spares is no price of `w`, which may save far more. */
function isDearer(facts: Facts, w: WhatIf, other: WhatIf): boolean {
  const [own, others] = worksAlike(facts, w, other);
  return own - Math.max(0, others) > worthOfMore(facts, other, w);
}

const worthOfMore = (facts: Facts, other: WhatIf, w: WhatIf): number =>
  Math.max(WORTH_IT, (worstBytes(other) - worstBytes(w)) / ownBytes(facts));

const price = (w: WhatIf): number => w.faults + w.syscalls;

/** `other` sets the options of `w` to what they begin with, which does as well for no more faults and calls: the value that is best tried. */
const isSameByDefault = (other: WhatIf, w: WhatIf): boolean =>
  setsDefaults(other.setting) &&
  !setsDefaults(w.setting) &&
  optionNames(other.setting) === optionNames(w.setting) &&
  price(other) <= price(w);

/** `other` saves a tenth more than `w` does, more than it takes anew, and is in nothing else dearer. */
function isBetterInAll(facts: Facts, other: WhatIf, w: WhatIf): boolean {
  const [saves, others] = savesAlike(facts, w, other);
  const [own, othersWork] = worksAlike(facts, w, other);
  return (
    others - saves > saves * NO_MATTER &&
    (price(other) - price(w)) * PAGE_BYTES < others - saves &&
    other.rssPeakBytes <= w.rssPeakBytes &&
    othersWork <= own
  );
}

/** What both save: in the order of the trace as long as other orders, on which one of them hangs, were not run. */
function savesAlike(facts: Facts, w: WhatIf, other: WhatIf): readonly [Bytes, Bytes] {
  const isUnknown = [w, other].some((one) => one.orders === null && hasSharedHeaps(one));
  const saved = (one: WhatIf) => savedBytes(facts, isUnknown ? { ...one, orders: null } : one);
  return [saved(w), saved(other)];
}

/**
 * Of those whose last bytes are no dearer than they are worth, the ones that come near the best: what mends the mechanism that accounts for most; then what a
 * variable of the environment sets, with the fewest settings; then what holds in every order of the threads' calls; then the one that costs
 * least.
 */
function cheapestOfBest(facts: Facts, findings: readonly Finding[], candidates: readonly WhatIf[]): WhatIf | null {
  if (candidates.length === 0) return null;
  const paid = candidates.filter((w) => !candidates.some((other) => isNoLess(facts, w, other)));
  // What was only counted is no reason to pass by what saves far more: that is timed first.
  const priced = paid.filter((w) => w.cpuNs === null || !paid.some((other) => isDearer(facts, w, other)));
  const least = Math.min(...priced.map(worstBytes));
  const comes = priced.filter((w) => worstBytes(w) - least <= facts.sample.rssBytes * WORTH_IT);
  const bought = comes.filter((w) => !comes.some((other) => isBetterBuy(facts, other, w)));
  const near = bought.filter(
    (w) => !bought.some((other) => isSameByDefault(other, w) || isBetterInAll(facts, other, w)),
  );
  // Mechanisms that account for about the same rank alike.
  const rank = ({ mechanism }: WhatIf) => {
    const own = findings.find((f) => f.mechanism === mechanism);
    if (!own) return findings.length;
    return findings.filter((f) => f.bytes - own.bytes > facts.sample.rssBytes * WORTH_IT).length;
  };
  const parts = (w: WhatIf) => w.setting.split(',').length;
  const unset = (w: WhatIf) => (w.paste === null ? 1 : 0);
  const order = (x: WhatIf, y: WhatIf) =>
    rank(x) - rank(y) ||
    unset(x) - unset(y) ||
    parts(x) - parts(y) ||
    Number(hasSharedHeaps(x)) - Number(hasSharedHeaps(y)) ||
    price(x) - price(y);
  return near.reduce((best, w) => (order(w, best) < 0 ? w : best));
}

/** Whether `w` sets what `other` does and more, and saves no more for that than is worth a setting. */
export function isNoLess(facts: Facts, w: WhatIf, other: WhatIf): boolean {
  const options = other.setting.split(',');
  const own = w.setting.split(',');
  const isPart = own.length > options.length && options.every((option) => own.includes(option));
  const [saves, others] = savesAlike(facts, w, other);
  return isPart && saves - others < enoughBytes(facts) && !isBetterInAll(facts, w, other);
}

/** What was only counted is timed before it is named, and might then make room for the next one and so on. */
function pricedOf(costly: readonly WhatIf[]): readonly WhatIf[] {
  const timed = costly.filter(({ cpuNs }) => cpuNs !== null);
  return timed.length < PRICED ? costly : timed;
}

/** Those that save most bytes for as much more work, or about as many. */
function mostForItsPrice(facts: Facts, candidates: readonly WhatIf[]): WhatIf[] {
  const bytesForWork = (w: WhatIf) => savedBytes(facts, w) / Math.max(moreWork(facts, w), WORTH_IT);
  const most = Math.max(...candidates.map(bytesForWork));
  return candidates.filter((w) => bytesForWork(w) >= most * (1 - NO_MATTER));
}

function fewerFaults({ sample, rssPeakBytes: peak }: Facts, sound: readonly WhatIf[]): WhatIf | null {
  const candidates = sound.filter(
    (w) =>
      w.paste !== null &&
      w.faults <= sample.faults * (1 - FEWER_FAULTS) &&
      w.rssPeakBytes <= MORE_MEMORY * peak &&
      w.rssBytes <= MORE_MEMORY * peak &&
      (worstBytes(w) - sample.rssBytes) * FAULTS_A_PAGE <= (sample.faults - w.faults) * PAGE_BYTES,
  );
  if (candidates.length === 0) return null;
  const least = Math.min(...candidates.map((w) => w.faults));
  return candidates
    .filter((w) => w.faults <= least + sample.faults * WORTH_IT)
    .reduce((best, w) => (w.rssBytes < best.rssBytes ? w : best));
}
