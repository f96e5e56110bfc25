import { parseAllocator } from '../../../../allocators/spec.ts';
import { bytes, count, counted, duration, percent } from '../../../../sim/contract/format.ts';
import type { Facts } from '../explanation.ts';
import type { Finding } from '../mechanisms/mechanism.ts';
import { HUGE_PAGES, isUnknownWithout } from '../recorded/recording-text.ts';
import { decaysByChance } from '../settings/layouts.ts';
import { hasSharedHeaps, isWide, worstBytes } from '../settings/orders.ts';
import { settingName } from '../settings/setting.ts';
import { callsOf, type OrderRange, type WhatIf } from '../settings/what-if.ts';
import {
  type Advice,
  type Advised,
  type Allowed,
  advisedIn,
  hasHigherPeak,
  isBackAndForth,
  isDead,
  isTooSlow,
  LEAST_SAVING,
  moreWork,
  moreWorkRange,
  sparesWorst,
  WORTH_IT,
  waitsLonger,
} from './advice.ts';
import { passedOver } from './passed-over.ts';
import { isRange, rangeText, residentText, signed } from './range-text.ts';

/** What is advised, with what it saves and what it costs; what was passed over, and why. `isFree`: most of the memory is free. */
export function adviceSentences(
  facts: Facts,
  advice: Advice,
  whatIf: readonly WhatIf[],
  partial: boolean,
  isFree: boolean,
  allowed: Allowed = {},
  findings: readonly Finding[] = [],
): string[] {
  const { sample } = facts;
  const interruption = `Interrupted when ${counted(whatIf.length, 'other setting')} had been run: a better one may be among the rest.`;
  if (whatIf.length === 0 || sample.rssBytes === 0) return partial ? [interruption] : [];
  const sentences: string[] = [];
  if (partial) sentences.push(interruption);
  if (isDead(facts)) sentences.push(DEAD);
  const advised = advisedIn(advice, isFree);
  const none = `none of the ${count(whatIf.length)} tried saves ${percent(WORTH_IT)} of the process and ${bytes(LEAST_SAVING)} for a fair price.`;
  const shares = [advice.memory, advice.costly, advice.uncertain].some((w) => w !== null && hasSharedHeaps(w));
  const untold = [
    ...(facts.times ? [shares ? LOCALITY_OF_SHARED : LOCALITY] : []),
    ...forTimeSentences(findings, advised),
  ];
  for (const one of advised) {
    const { whatIf: w, lowers } = one;
    const lead = hasLead(one, advised, isFree) ? `${leadOf(one)}: with` : 'With';
    sentences.push(
      `${lead} ${lowers === 'memory' ? savingText(facts, w) : faultsText(facts, w)}`,
      ...orderSentences(facts, w),
      ...(lowers === 'memory' ? wakeSentence(w, facts.run.cpus) : []),
      ...(lowers === 'memory' && advice.version ? [versionSentence(facts, advice.version)] : []),
      ...timeSentences(facts, w),
    );
  }
  const dearer = [...costlySentences(facts, advice.costly, allowed), ...passedOver(facts, advice, whatIf, allowed)];
  if (isFree && advice.faults && !advice.memory) {
    if (!partial) sentences.push(`For less memory: ${none}`);
    sentences.push(...dearer);
  }
  if (advice.memory) sentences.push(...dearer);
  if (advised.length > 0) return [...sentences, ...untold];
  if (advice.uncertain) {
    sentences.push(...uncertainSentences(facts, advice.uncertain));
  } else if (!partial) sentences.push(`${nothingText(facts, advice)}: ${none}`);
  if (advice.version) sentences.push(versionSentence(facts, advice.version));
  return [...sentences, ...dearer, ...untold];
}

function nothingText(facts: Facts, { costly }: Advice): string {
  if (costly) return 'No setting is worth what it costs';
  if (facts.orders && isWide(facts.orders)) return 'Nothing to gain by a setting in every run';
  return `${isUnknownWithout(facts, HUGE_PAGES) ? 'As far as is known nothing' : 'Nothing'} to gain by a setting`;
}

function uncertainSentences(facts: Facts, w: WhatIf): string[] {
  if (facts.orders && sparesWorst(facts, w)) {
    const leaves = w.orders && isWide(w.orders) ? rangeText(w.orders) : `no more than ${bytes(worstBytes(w))}`;
    return [
      `It may help in some runs of the program: as it is they leave ${rangeText(facts.orders)}, with ${w.setting} (${w.about}) ${leaves}, in the orders of the threads’ calls that were run.`,
      ...timeSentences(facts, w),
    ];
  }
  return [
    `It may help, but by no more than runs of the program lie apart: with ${savingText(facts, w)}`,
    ...orderSentences(facts, w),
    ...timeSentences(facts, w),
  ];
}

/** Settings that may make the program quicker, whatever they leave, unless one that is advised sets as much. */
const forTimeSentences = (findings: readonly Finding[], advised: readonly Advised[]): string[] =>
  findings.flatMap(({ forTime }) => {
    if (!forTime) return [];
    const options = settingName(forTime.setting).split(',');
    const isSet = advised.some(({ whatIf: w }) => options.every((option) => w.setting.split(',').includes(option)));
    return isSet ? [] : [forTime.sentence];
  });

/** With its price, and what keeps it from being advised. */
function costlySentences(facts: Facts, costly: WhatIf | null, allowed: Allowed): string[] {
  if (!costly) return [];
  return [
    `At a price: with ${savingText(facts, costly)}`,
    ...timeSentences(facts, costly),
    ...againstSentences(facts, costly, allowed),
  ];
}

/** There are two, or one that is no answer to the headline. */
export const hasLead = ({ lowers }: Advised, advised: readonly Advised[], isFree: boolean): boolean =>
  advised.length > 1 || (isFree && lowers === 'faults');

/** What it is for. */
export const leadOf = ({ lowers }: Advised): string =>
  lowers === 'faults' ? 'For fewer page faults' : 'For less memory';

const versionSentence = (facts: Facts, version: WhatIf): string =>
  `A newer version: with ${savingText(facts, version)}`;

/** What it leaves in other orders of the threads' calls. */
function orderSentences(facts: Facts, w: WhatIf): string[] {
  if (w.orders) {
    const differs = [w.orders, facts.orders].some((range) => range && isRange(range));
    return [
      ...(differs || hasSharedHeaps(w) ? ordersSentences(facts, w, w.orders) : []),
      ...(w.orders.leftOut > 0 ? [leftOutSentence(w.orders)] : []),
    ];
  }
  return hasSharedHeaps(w)
    ? [
        'What threads leave in a heap that they share depends on how their calls fall between each other: it was run in the order of the trace, and the real saving may be more or less.',
      ]
    : [];
}

const DEAD = `No block lives here: a setting is advised only where next to nothing of what it gives back is taken again (${percent(WORTH_IT)} more faults and calls at most).`;

const IN_STEP =
  'Who frees whose block stays as it was recorded, which keeps threads in step: really they do more at a time, and faults and work may be fewer.';

/** Which bounds keep a setting from being advised, and what moves them. */
function againstSentences(facts: Facts, w: WhatIf, allowed: Allowed): string[] {
  const sentences: string[] = [];
  if (isBackAndForth(facts, w, allowed)) {
    const grow = isDead(facts) ? 'grow' : 'more than double, and by more than the pages that it saves';
    sentences.push(`It is no advice because page faults and calls ${grow}: memory would go back and forth.`);
  }
  if (isTooSlow(facts, w, allowed)) {
    const of = facts.programNs === null ? 'more work' : 'more of the program’s processor time';
    sentences.push(`A setting may take as many per cent ${of} as it saves of the process.`);
  }
  if (sentences.length > 0 && !hasHigherPeak(facts, w) && !waitsLonger(facts, w)) {
    const percents = Math.max(1, Math.ceil(moreWork(facts, w) * 100));
    sentences.push(`With --allow-work ${percents} explain advises what takes as much work as this one.`);
  }
  if (sentences.length > 0 && hasSharedHeaps(w)) sentences.push(IN_STEP);
  if (hasHigherPeak(facts, w)) sentences.push('The peak may grow by a tenth: this one’s grows more.');
  if (waitsLonger(facts, w)) {
    sentences.push('Threads may wait for locks a twentieth of their time longer: with this one they wait more.');
  }
  return sentences;
}

function ordersSentences(facts: Facts, w: WhatIf, orders: OrderRange): string[] {
  const range = rangeText(orders);
  const before = facts.orders && isRange(facts.orders) ? ` (as it is ${rangeText(facts.orders)})` : '';
  const hasClock = facts.times?.lockWaitNs !== null;
  if (hasClock && decaysByChance(w.allocator, facts.run.cpus)) {
    const threads = hasSharedHeaps(w) ? ', and on how the calls of threads fall between each other' : '';
    return [
      `When jemalloc looks at what is due hangs on addresses, which the kernel draws for every process, and on the pace of the program${threads}: ${range} in the runs that were made${before}. A real run may lie outside, on either side.`,
    ];
  }
  if (!isWide(orders)) {
    return [
      `With it how the threads’ calls fall between each other hardly matters, in the orders that were run${facts.orders && isWide(facts.orders) ? before : ''}. That is no measure of how far real runs lie apart: of waits outside of malloc a trace has joins at most, and a real run may leave less or more, as it is too.`,
    ];
  }
  const where = hasSharedHeaps(w) ? ' in a heap that they share' : '';
  return [
    `What threads leave${where} depends on how their calls fall between each other, which is another way in every run: ${range} in the orders that were run${before}. It depends on who gets a lock next, so a real run may lie outside, on either side.`,
  ];
}

const leftOutSentence = ({ leftOut, leftOutMostBytes }: OrderRange): string =>
  `${leftOut === 1 ? '1 more run leaves' : `${count(leftOut)} more runs leave up to`} ${bytes(leftOutMostBytes)} and ${leftOut === 1 ? 'is' : 'are'} left out: in ${leftOut === 1 ? 'it' : 'them'} threads held more at once than in the recording. They wait for each other outside of malloc, which no trace tells, and hold more at once in one run than in another: real runs may come there. Another recording shows whether the advice stays.`;

const instead = (now: number, before: number, one: string, of = ''): string =>
  now === before ? `the same ${one}s${of}` : `${counted(now, one)}${of} instead of ${count(before)}`;

const priceOf = (facts: Facts, w: WhatIf): string =>
  [
    instead(w.faults, facts.sample.faults, 'page fault', ' of the heap'),
    instead(w.syscalls, callsOf(facts.sample.syscalls), 'memory system call'),
    bytes(w.rssPeakBytes) === bytes(facts.rssPeakBytes)
      ? 'the same peak'
      : `a peak of ${bytes(w.rssPeakBytes)} instead of ${bytes(facts.rssPeakBytes)}`,
  ].join(', ');

/** What a setting takes in time, where that was asked for. */
function timeSentences(facts: Facts, w: WhatIf): string[] {
  const { times } = facts;
  const { setting, cpuNs, cpuMostNs, lockWaitNs, timedFaults } = w;
  if (!times || cpuNs === null) return [];
  const change = (ns: number) => signed(times.cpuNs > 0 ? ns / times.cpuNs - 1 : 0);
  const [least, most] = [cpuNs, cpuMostNs ?? cpuNs];
  const isOne = change(least) === change(most);
  const work = isOne ? duration(least) : `${duration(least)} to ${duration(most)}`;
  const share = isOne ? change(least) : `${change(least)} to ${change(most)}, by the order of the threads’ calls`;
  const waits =
    lockWaitNs !== null && lockWaitNs + times.lockWaitNs! > 0
      ? `, waits for locks of ${duration(lockWaitNs)} instead of ${duration(times.lockWaitNs!)}`
      : '';
  const faults =
    hasSharedHeaps(w) && timedFaults !== null
      ? `, ${instead(timedFaults, times.faults, 'page fault')} with threads beside each other`
      : '';
  return [
    `${setting} takes ${work} of work instead of ${duration(times.cpuNs)} (${share})${waits}${faults}, simulated; ${ofProgram(facts, w)}.`,
  ];
}

/**
 * The thread sleeps for a decay time where it saw few dirty pages when it looked last (decay_ns_until_purge), and these go within another one; who frees
 * meanwhile wakes it sooner, but where it holds its lock just then (arena_maybe_do_deferred_work): nothing of that is in a trace.
 */
function wakeSentence({ allocator }: WhatIf, cpus: number): string[] {
  const { options, below } = parseAllocator(allocator, cpus);
  const { background_thread: hasThread, dirty_decay_ms: decay } = { ...below?.options, ...options };
  const ms = Number(decay ?? 0);
  if (hasThread !== true || ms <= 0) return [];
  return [
    `When its thread wakes hangs on the moments of the frees, another way in every run: up to ${duration(2 * ms * NS_PER_MS)} behind them a real run may still hold what it holds as it is.`,
  ];
}

const NS_PER_MS = 1e6;

const LOCALITY =
  'Prices know no caches, for which it matters where blocks lie: time the program before the setting is kept.';

/** docs/results/explain.md: beside -36 % it was +22 %, beside +5 % +117 %, beside -63 % -53 %. */
const LOCALITY_OF_SHARED =
  'Prices know no caches, for which it matters where blocks lie and which processor had a shared heap last: some programs took far more than is said here. Time the program before the setting is kept.';

/** The same as a share of what the program takes in all. */
function ofProgram(facts: Facts, w: WhatIf): string {
  const { programNs, times } = facts;
  if (programNs === null) return 'what the program computes beside it is not counted';
  if (programNs <= times!.cpuNs)
    return `the recorded program took ${duration(programNs)} of processor time in all, no more than is simulated`;
  const [least, most] = moreWorkRange(facts, w).map(signed);
  const share = least === most ? least : `${least} to ${most}`;
  return `of the ${duration(programNs)} of processor time that the recorded program took in all that is ${share}`;
}

function insteadText({ sample, orders, threads }: Facts, w: WhatIf): string {
  const now = residentText(w, threads);
  // What leaves the same in every run is held against the run as it is in the order of the trace.
  const before = residentText({ rssBytes: sample.rssBytes, orders: w.orders && isWide(w.orders) ? orders : null }, 1);
  return now === before
    ? `as much would be resident here, ${now}`
    : `${now} would be resident here instead of ${before}`;
}

const savingText = (facts: Facts, w: WhatIf): string =>
  `${w.setting} (${w.about}) ${insteadText(facts, w)}, at ${priceOf(facts, w)}: run, not estimated.`;

const faultsText = (facts: Facts, w: WhatIf): string =>
  `${w.setting} (${w.about}) ${insteadText(facts, w)}, and less memory goes back and forth: ${priceOf(facts, w)}: run, not estimated.`;
