import { bytes, count, counted, percent } from '../../../sim/contract/format.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { CLASSES, classBytes, className } from '../../report/names.ts';
import { shortFrame } from '../../report/sites/frames.ts';
import { RESERVED } from '../../run/areas.ts';
import {
  type Advice,
  type Advised,
  type Allowed,
  advisedIn,
  adviseOn,
  enoughBytes,
  NO_ADVICE,
  sparesWorst,
  WORTH_IT,
} from './advice/advice.ts';
import { adviceSentences, hasLead, leadOf } from './advice/advice-text.ts';
import { callSentences, requestRemedy, returnsFarMore } from './advice/calls-text.ts';
import { apartText } from './advice/range-text.ts';
import type { Explanation, Facts, Verdict, VerdictKind } from './explanation.ts';
import { besideText, growthSentences, leakText } from './growth/growth-text.ts';
import { risesByMuch, type Unbounded, unboundedOf } from './growth/unbounded.ts';
import { countedName, groupAreas } from './heap/area-groups.ts';
import { onlyEndsSentence, returnSentences, unreachedBytes } from './heap/return-text.ts';
import { siteSentences } from './heap/site-text.ts';
import { changeSentences, givenSentences } from './heap/tunable-text.ts';
import { atWork } from './mechanisms/at-work.ts';
import { findingSentences } from './mechanisms/finding-text.ts';
import { HUGE_BYTES } from './mechanisms/huge-pages.ts';
import { type Finding, WORTH_FINDING } from './mechanisms/mechanism.ts';
import { assumedSentences } from './recorded/assumed-text.ts';
import { farOffSentences, processSentences } from './recorded/process-text.ts';
import { hugePageSentences } from './recorded/recording-text.ts';
import { savedBytes } from './settings/orders.ts';
import { setsDefaults } from './settings/setting.ts';
import type { WhatIf } from './settings/what-if.ts';

/** Areas and groups below this share of the resident bytes are not worth a sentence. */
const WORTH_A_SENTENCE = 0.02;
/** Shares below this read as 0.0 %. */
const WORTH_A_SHARE = 0.0005;
/** A group that holds so much of what is pinned is the whole story. */
const MOST = 0.5;
/** Other heaps that hold less than this share are said not to be the cause. */
const FEW = 0.15;

/**
 * Names the largest cause. Free memory counts as retained by policy where the allocator gives it back when asked
 * (measured), and where it lies on whole pages of a heap or an extent that the request does not reach; as pinned where
 * something on the same page, slab or chunk keeps it.
 */
export function judge(
  facts: Facts,
  found: readonly Finding[] = [],
  whatIf: readonly WhatIf[] = [],
  partial = false,
  allowed: Allowed = {},
): Verdict {
  const findings = atWork(found, facts, whatIf);
  const { breakdown, rssBytes } = facts.sample;
  const unbounded = findings.some(({ isNoLeak }) => isNoLeak) ? null : unboundedOf(facts);
  const free = breakdown.pinned + breakdown.returnable;
  const request = requestedOf(facts);
  const policy = Math.max(0, Math.min(free, request.returnsBytes + unreachedBytes(facts, request)));
  const shares = {
    'in use': breakdown.requested,
    rounding: breakdown.slack,
    cache: breakdown.cached,
    'retention by policy': policy,
    'fragmentation by pinning': free - policy,
    metadata: breakdown.metadata,
  };
  let kind: VerdictKind = 'nothing';
  if (rssBytes > 0) {
    kind = largest(shares);
    if (kind === 'in use' && unbounded?.isAtWork && !unbounded.hasStopped) kind = 'leak';
  }
  const farOff = farOffSentences(facts);
  const advice = farOff.length > 0 ? NO_ADVICE : adviseOn(facts, findings, whatIf, allowed);
  const place = placeSentences(facts, kind, shares);
  const isFree = IS_FREE.has(kind);
  const settings = [
    ...adviceSentences(facts, advice, whatIf, partial, isFree, allowed, findings),
    ...hugePageSentences(facts, whatIf, advice),
  ];
  const calls = advice.faults && !isFree ? [] : callSentences(facts, findings);
  const isSettingFirst = advice.memory !== null && !returnsFarMore(facts, advice.memory);
  const answer = farOff.length > 0 ? farOff : isSettingFirst ? [...settings, ...calls] : [...calls, ...settings];
  const advised = advisedIn(advice, isFree);
  return {
    kind,
    shares,
    headline: headlines(kind, shares, facts, unbounded, findings).join(' '),
    sentences:
      rssBytes === 0
        ? abortSentences(facts)
        : [
            ...abortSentences(facts),
            ...shareSentences(facts),
            ...growthSentences(facts, kind, unbounded),
            ...processSentences(facts),
            ...findings.flatMap((f) => findingSentences(f, facts, whatIf)),
            ...overlapSentence(facts, findings),
            ...place,
            ...returnSentences(facts),
            ...onlyEndsSentence(facts, findings),
            ...pinningSentences(facts, kind, shares['fragmentation by pinning']),
            ...siteSentences(facts),
            ...changeSentences(facts.tunableChanges, raisesMatter(facts, whatIf)),
            ...givenSentences(facts),
            ...answer,
            ...assumedSentences(facts, whatIf, allowed),
          ],
    place,
    answer,
    advice: advised[0]?.whatIf ?? null,
    alsoAdvised: advised[1]?.whatIf ?? null,
    pastes: [...pastesOf(advised, isFree), ...mayHelp(facts, advice, advised)],
    remedies: [
      ...findings.flatMap(({ remedies = [] }) => remedies),
      ...(advice.faults && !isFree ? [] : requestRemedy(facts)),
    ],
    mechanisms: findings.map((f) => ({
      name: f.mechanism,
      bytes: f.bytes,
      sentences: findingSentences(f, facts, whatIf),
    })),
  };
}

/** What can be asked of the allocator, whatever lies in the caches of threads. */
const requestedOf = ({ returns }: Facts) => returns.find((r) => !r.flushesCaches) ?? returns[0];

/** Kinds of which the answer is less of it, before all else. */
const IS_FREE: ReadonlySet<VerdictKind> = new Set(['cache', 'retention by policy', 'fragmentation by pinning']);

/** What is advised, ready to paste, under what it is for where that is to be said. */
const pastesOf = (advised: readonly Advised[], isFree: boolean): Verdict['pastes'] =>
  advised.flatMap((one) => {
    const { paste } = one.whatIf;
    return paste ? [{ ...paste, lead: hasLead(one, advised, isFree) ? leadOf(one) : '' }] : [];
  });

/** And what never leaves as much as some runs do as it is, where nothing is advised. */
function mayHelp(facts: Facts, { uncertain }: Advice, advised: readonly Advised[]): Verdict['pastes'] {
  if (advised.length > 0 || !uncertain?.paste || !sparesWorst(facts, uncertain)) return [];
  return [{ ...uncertain.paste, lead: 'It may help' }];
}

/** Whether a threshold that does not rise makes a difference; unless it was run, it may. */
function raisesMatter(facts: Facts, whatIf: readonly WhatIf[]): boolean {
  const fixed = whatIf.filter(({ setting, failed }) => !failed && setsDefaults(setting));
  return (
    fixed.length === 0 ||
    fixed.some((w) => savedBytes(facts, w) >= enoughBytes(facts) || w.faults > facts.sample.faults * (1 + WORTH_IT))
  );
}

function largest(shares: Verdict['shares']): keyof Verdict['shares'] {
  const entries = Object.entries(shares) as [keyof Verdict['shares'], Bytes][];
  return entries.reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

const headlines = (
  kind: VerdictKind,
  shares: Verdict['shares'],
  facts: Facts,
  unbounded: Unbounded | null,
  findings: readonly Finding[],
): string[] => [
  `${headline(kind, shares, facts, unbounded)}${hugeText(findings, facts)}`,
  ...besideText(kind, unbounded, facts),
  ...apartText(facts),
];

function headline(kind: VerdictKind, shares: Verdict['shares'], facts: Facts, unbounded: Unbounded | null): string {
  const { sample, run } = facts;
  const rss = sample.rssBytes;
  const part = (value: Bytes) => `${bytes(value)} of ${bytes(rss)} resident (${percent(value / rss)})`;
  switch (kind) {
    case 'nothing':
      return 'Nothing is resident.';
    case 'leak':
      return `Leak, or a program that needs ever more: ${part(shares['in use'])} are what it asked for and holds, and ${leakText(unbounded!, facts)}.`;
    case 'in use': {
      const grows = unbounded && !unbounded.hasStopped ? `, and ${leakText(unbounded, facts)}` : '';
      return `Requested: ${part(shares['in use'])} are what the program asked for and holds${grows}.`;
    }
    case 'rounding':
      return `Slack: ${part(shares.rounding)} are what blocks have beyond what was asked for: they are smaller than the allocator’s smallest, or lie between its sizes.`;
    case 'cache':
      return `Cached: ${part(shares.cache)} are free, in caches of threads and of the allocator.`;
    case 'retention by policy':
      return `Retention by policy: ${part(shares[kind])} are free, on pages that no live block lies on: the allocator keeps them by its own rules${unmergedText(shares[kind], sample)}. ${unbounded || risesByMuch(facts) ? 'That part is no leak' : 'It is not a leak'}.`;
    case 'fragmentation by pinning':
      return `Fragmentation by pinning: ${part(shares[kind])} are free, but ${keepersText(facts, shares[kind])} keep ${whatIsKept(shares[kind], sample.withinSlabsBytes, run.allocator)}.${askedText(facts)}`;
    case 'metadata':
      return `Metadata: ${part(shares.metadata)} are headers and structures of the allocator.`;
  }
}

/** One byte written makes a huge page resident, whatever the allocator then does with the rest. */
function hugeText(findings: readonly Finding[], { sample }: Facts): string {
  const huge = findings.find(({ mechanism }) => mechanism === 'huge pages');
  if (!huge || huge.bytes < sample.rssBytes * MOST) return '';
  const all = bytes(sample.hugeFaults * HUGE_BYTES);
  return ` ${counted(sample.hugeFaults, 'huge page')} came in up to here, ${all} in all, each by its first byte.`;
}

/** The other part of what is free, as far as a request reaches. */
function askedText(facts: Facts): string {
  const { returnsBytes } = requestedOf(facts);
  const isWorth = returnsBytes >= facts.sample.rssBytes * WORTH_A_SENTENCE;
  return isWorth ? ` Of what else is free ${bytes(returnsBytes)} would go back when asked.` : '';
}

/** What lies on the pages that are kept, or in the slabs and chunks; cached blocks only where they keep more than a trifle of it. */
function keepersText({ heldPages }: Facts, kept: Bytes): string {
  const byCached = heldPages.reduce((sum, { cached, freeBytes }) => (cached ? sum + freeBytes : sum), 0);
  const cached = byCached >= kept * WORTH_A_SENTENCE ? ', cached ones' : '';
  return `live blocks${cached} or the allocator’s own structures`;
}

/** What a request gives back of pages with nothing live on them may count as pinned: by freed blocks that are not merged, and their headers. */
function unmergedText(policy: Bytes, { breakdown: { returnable } }: Facts['sample']): string {
  const unmerged = policy - returnable;
  return unmerged < policy * MOST
    ? ''
    : `: freed blocks that it has not merged lie on the pages of ${bytes(unmerged)}, which therefore count as pinned until it does`;
}

/** Whole free pages of slabs and chunks are a class of their own, so each part is named where there are both. */
function whatIsKept(kept: Bytes, withinSlabsBytes: Bytes, allocator: string): string {
  const within = Math.min(kept, withinSlabsBytes);
  const them = className('withinSlabs', allocator).replace(/^in /, 'the ');
  if (within < kept * WORTH_A_SHARE) return 'their pages';
  if (kept - within < kept * WORTH_A_SHARE) return `${them} that they lie in`;
  return `their pages (${bytes(kept - within)}) or ${them} that they lie in (${bytes(within)})`;
}

function abortSentences({ abort }: Facts): string[] {
  if (!abort) return [];
  return [`The run ends at event ${count(abort.event)}: the real program would have aborted there (${abort.message}).`];
}

function shareSentences({ sample, run }: Facts): string[] {
  const rss = sample.rssBytes;
  if (rss === 0) return [];
  const parts = CLASSES.map(({ key }) => ({ name: className(key, run.allocator), value: classBytes(sample, key) }))
    .filter(({ value }) => value >= rss * WORTH_A_SHARE)
    .sort((x, y) => y.value - x.value)
    .map(({ name, value }) => `${name} ${percent(value / rss)}`);
  return [`Of the resident bytes: ${parts.join(', ')}.`];
}

/** Mechanisms that count free bytes of glibc's heaps alone. */
const OF_FREE = new Set(['arenas', 'holes of large blocks', 'memalign splinters', 'thresholds', 'unmerged chunks']);

/** Those that keep the same bytes together each count them. */
function overlapSentence({ sample }: Facts, findings: readonly Finding[]): string[] {
  const { cached, pinned, returnable } = sample.breakdown;
  const sum = findings.reduce((total, f) => total + (OF_FREE.has(f.mechanism) ? f.bytes : 0), 0);
  if (sum <= cached + pinned + returnable) return [];
  return ['These figures overlap: some of the free bytes are kept by more than one of these.'];
}

/** Where most of it is. Said of the free part where that is the question, else of all. */
function placeSentences(facts: Facts, kind: VerdictKind, shares: Verdict['shares']): string[] {
  const rss = facts.sample.rssBytes;
  if (rss === 0) return [];
  const groups = groupAreas(facts.areas);
  const sentences: string[] = [];
  const aboutFree = kind === 'retention by policy' || kind === 'fragmentation by pinning';
  const worth = (g: (typeof groups)[number]) =>
    aboutFree ? g.breakdown.pinned + g.breakdown.returnable : g.residentBytes;
  const whole = aboutFree ? shares['retention by policy'] + shares['fragmentation by pinning'] : rss;
  const ordered = groups.filter((g) => g.residentBytes > 0).sort((x, y) => worth(y) - worth(x));
  const top = ordered[0];
  if (!top) return [];
  const aside = facts.sample.breakdown.cached > 0 ? ', caches aside,' : '';
  const what = aboutFree ? `free resident bytes${aside}` : 'resident bytes';
  sentences.push(
    `${percent(worth(top) / whole)} of the ${what} lie in the ${countedName(top.name, top.count)}: ${bytes(worth(top))}, ${liveText(top)}.`,
  );
  const others = ordered.slice(1).filter((g) => g.kind === 'heap');
  if (top.kind === 'heap' && others.length > 0 && others.reduce((n, g) => n + g.residentBytes, 0) < rss * FEW) {
    const sum = (of: (g: (typeof groups)[number]) => number) => others.reduce((total, g) => total + of(g), 0);
    sentences.push(
      `It is not the ${others.length === 1 ? countedName(others[0]!.name, others[0]!.count) : 'other heaps'}: only ${bytes(sum((g) => g.residentBytes))} of the resident bytes lie there (${percent(sum((g) => g.residentBytes) / rss)}).`,
    );
  }
  const reserved = groups.find((g) => g.name === RESERVED);
  if (reserved && reserved.mappedBytes > rss) {
    sentences.push(
      `Of the ${bytes(facts.sample.vszBytes)} that are mapped, ${bytes(reserved.mappedBytes)} are reserved address space: no memory.`,
    );
  }
  return sentences;
}

function liveText({
  liveBlocks,
  breakdown,
}: {
  readonly liveBlocks: number;
  readonly breakdown: { requested: Bytes };
}) {
  if (liveBlocks === 0) return 'with no live block in between';
  if (liveBlocks === 1) return `beside 1 live block of ${bytes(breakdown.requested)}`;
  return `between ${counted(liveBlocks, 'live block')} of ${bytes(breakdown.requested)} in all`;
}

/** Where no few blocks keep much, all of them together do; `pinned`: what no request returns. `few`: what is said of a few of them. */
function pinnedSentence(facts: Facts, pinned: Bytes, few = 'no few of them hold much of it'): string[] {
  const { sample, heldPages } = facts;
  const sum = (pages: typeof heldPages) => pages.reduce((total, { freeBytes }) => total + freeBytes, 0);
  // What is said is what lies on these pages, so that its parts add up: whole free pages of slabs and chunks do not.
  const onPages = sum(heldPages);
  if (Math.min(pinned, onPages) < sample.rssBytes * WORTH_FINDING) return [];
  const byLive = heldPages.filter(({ events }) => events.length > 0);
  const blocks = new Set(byLive.flatMap(({ events }) => events)).size;
  const others = heldPages.filter(({ events }) => events.length === 0);
  const own = ownKeepers(others, facts);
  const whole = `Pinned: ${bytes(onPages)} are free on ${counted(heldPages.length, 'page')}`;
  const live = `${counted(blocks, 'live block')} ${blocks === 1 ? 'keeps' : 'keep'}`;
  if (byLive.length === 0) return [`${whole} that ${own} keep.`];
  if (byLive.length === heldPages.length) return [`${whole} that ${live}; ${few}.`];
  return [
    `${whole}: ${bytes(sum(byLive))} on ${count(byLive.length)} that ${live}, ${bytes(sum(others))} on ${count(others.length)} that ${own} keep; ${few}.`,
  ];
}

/** What keeps pages that no live block lies on. Zend's heap cuts runs of pages into blocks of one size. */
function ownKeepers(pages: Facts['heldPages'], { run }: Facts): string {
  const structures = run.allocator.startsWith('zendmm')
    ? 'ends of runs that are too short for a block'
    : 'structures of the allocator';
  const isCached = pages.filter(({ cached }) => cached).length;
  if (isCached === 0) return structures;
  return isCached === pages.length ? 'cached blocks' : `cached blocks and ${structures}`;
}

function pinningSentences(facts: Facts, kind: VerdictKind, pinned: Bytes): string[] {
  const group = facts.pinning[0];
  if (!group) return pinnedSentence(facts, pinned);
  const share = group.returnsBytes / facts.sample.rssBytes;
  const isFew = share < WORTH_A_SENTENCE && kind !== 'fragmentation by pinning';
  if (isFew || group.ownBytes * 2 > group.returnsBytes) return pinnedSentence(facts, pinned);
  const them = group.blocks.length === 1 ? 'it' : 'them';
  const how =
    group.by === 'free'
      ? `freeing ${them} alone`
      : group.by === 'free and trim'
        ? `freeing ${them} before a trim`
        : `freeing ${them} before the caches are flushed and purged`;
  const isMost = group.returnsBytes >= pinned * MOST;
  return [
    ...(isMost ? [] : pinnedSentence(facts, pinned, 'the few that hold the most come next')),
    `${groupText(group)}${group.line === undefined ? '' : `, allocated at ${shortFrame(group.line)},`} ${group.blocks.length === 1 ? 'holds' : 'hold'} ${bytes(group.returnsBytes)} of ${/\d/.test(group.area) ? group.area : `the ${group.area}`}: ${how} gives that back (measured).`,
  ];
}

/** `these 3 blocks of 4,112 bytes from thread 12` */
export function groupText(group: Explanation['pinning'][number]): string {
  const { blocks } = group;
  const threads = [...new Set(blocks.map((b) => b.thread))].sort((x, y) => x - y);
  const from =
    threads.length > 3 ? `${threads.length} threads` : `thread${threads.length > 1 ? 's' : ''} ${threads.join(', ')}`;
  const sizes = new Set(blocks.map((b) => b.requestedBytes));
  if (blocks.length === 1) {
    return `1 block of ${counted(blocks[0]!.requestedBytes, 'byte')} (event ${count(blocks[0]!.event)}, ${from})`;
  }
  const size = sizes.size === 1 ? `of ${counted([...sizes][0]!, 'byte')}` : `of ${bytes(group.ownBytes)} in all`;
  return `${blocks.length} blocks ${size} (first: event ${count(blocks[0]!.event)}; ${from})`;
}
