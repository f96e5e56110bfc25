import { bytes, counted } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Facts } from '../explanation.ts';
import type { Finding } from '../mechanisms/mechanism.ts';
import { returnTexts } from './area-groups.ts';
import type { AreaReport } from './ranges.ts';
import type { ReturnPrediction } from './returns.ts';

/** Areas below this share of the resident bytes are not worth a sentence. */
const WORTH_A_SENTENCE = 0.02;

/**
 * Whole free pages of heaps, extents and mappings that a request does not return, and chunks without a live block: nothing
 * but a rule keeps them. Zend's heap keeps its first chunk from request to request.
 */
export const unreachedBytes = (facts: Pick<Facts, 'areas'>, request: ReturnPrediction): Bytes =>
  unreached(facts, request).reduce((sum, { bytes: left }) => sum + left, 0);

/** The same by area. */
function unreached({ areas }: Pick<Facts, 'areas'>, request: ReturnPrediction) {
  const returned = new Map(request.byArea.map((a) => [a.index, a.returnsBytes]));
  return areas.flatMap((area, i) => {
    const { kind, breakdown, liveBlocks } = area;
    const gone = returned.get(i) ?? 0;
    if (kind === 'chunk') return liveBlocks === 0 ? [{ area, bytes: breakdown.pinned + breakdown.returnable }] : [];
    const isWhole = kind !== 'slab' && kind !== 'metadata';
    return isWhole ? [{ area, bytes: Math.max(0, breakdown.returnable - gone) }] : [];
  });
}

/** What the allocator would give back if it were asked now, and what of its free pages that does not reach, and why. */
export function returnSentences(facts: Facts): string[] {
  const [best] = facts.returns;
  if (facts.sample.rssBytes === 0) return [];
  return [...(isMallocUnused(facts) ? [] : [requestSentence(facts, best)]), ...unreachedSentences(facts, best)];
}

/** PHP's heap takes its chunks from the kernel: malloc_trim has nothing to do with them. */
export const isMallocUnused = ({ areas, run }: Pick<Facts, 'areas' | 'run'>): boolean =>
  run.allocator.startsWith('zendmm') && areas.every(({ name, residentBytes }) => residentBytes === 0 || isZends(name));

const isZends = (name: string): boolean => name.startsWith('Zend');

function requestSentence({ areas }: Facts, best: ReturnPrediction): string {
  const call = isTrim(best) ? best.call : `A ${best.call}`;
  if (best.returnsBytes === 0) return `${call} would return nothing now.`;
  const from = returnTexts(best, areas);
  return `${call} would return ${bytes(best.returnsBytes)} now, ${counted(best.returnsBytes, 'byte')}: ${from.slice(0, 3).join(', ')}${from.length > 3 ? ' and others' : ''}.`;
}

const isTrim = ({ call }: ReturnPrediction): boolean => call.startsWith('malloc_trim');

function unreachedSentences(facts: Facts, best: ReturnPrediction): string[] {
  const left = unreached(facts, best);
  const sumOf = (isOne: (area: AreaReport) => boolean) =>
    left.reduce((sum, { area, bytes: each }) => (isOne(area) ? sum + each : sum), 0);
  const isArenas = ({ name, kind }: AreaReport) => kind === 'heap' && isTrim(best) && name.startsWith('arena');
  const ofZend = sumOf(({ name }) => isZends(name));
  const ofArenas = sumOf(isArenas);
  const others = sumOf((area) => !isZends(area.name) && !isArenas(area));
  const isWorth = (size: Bytes) => size > 0 && size >= facts.sample.rssBytes * WORTH_A_SENTENCE;
  const threshold = facts.tunables?.['trim_threshold'];
  return [
    ...(isWorth(ofZend)
      ? [
          `${bytes(ofZend)} lie in chunks of the Zend heap that hold no block (the first one stays as long as the process): what malloc is asked for or set to reaches its own memory, not these.`,
        ]
      : []),
    ...(isWorth(ofArenas)
      ? [
          `${bytes(ofArenas)} more are free at the ends of arenas' heaps, where malloc_trim cuts nothing off: a free does that which finds the end larger than the trim threshold${threshold === undefined ? '' : `, ${bytes(threshold)} now`}.`,
        ]
      : []),
    ...(isWorth(others) ? [`${bytes(others)} more lie on whole free pages that it does not reach.`] : []),
  ];
}

const TOLD_ALREADY = ['thresholds', 'holes of large blocks', 'unmerged chunks', 'memalign splinters', 'arenas'];

/** What keeps free memory below a live block in glibc's heap, where nothing else was found to. */
export function onlyEndsSentence({ returns: [best], sample, run }: Facts, findings: readonly Finding[]): string[] {
  if (!isTrim(best) || best.returnsBytes < sample.rssBytes * WORTH_A_SENTENCE) return [];
  if (!run.allocator.includes('glibc') || findings.some(({ mechanism }) => TOLD_ALREADY.includes(mechanism))) return [];
  return [
    'By itself glibc cuts off the free end of a heap and no more: what is free below a live block stays until that block is freed, or until malloc_trim, which returns whole pages between blocks too.',
  ];
}
