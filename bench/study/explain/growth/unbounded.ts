import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Facts } from '../explanation.ts';
import { WORTH_FINDING } from '../mechanisms/mechanism.ts';
import type { Freed, GrowingPart } from './growing-parts.ts';

/** What grows as a whole has so much of its live blocks throughout the last quarter of the run; else they are those of the moment. */
const STAYS = 0.5;

/** What the program holds ever more of. */
export interface Unbounded {
  /** Empty where only all of it together is known to grow. */
  readonly parts: readonly GrowingPart[];
  readonly bytes: Bytes;
  /** The program freed far more other blocks meanwhile, or bytes: what it does goes on, and this alone stays. Else it may be building what it needs. */
  readonly isAtWork: boolean;
  /** The program went on, for a quarter of the recorded time and more, and it did not grow. */
  readonly hasStopped: boolean;
}

/** What grows without end, where it is worth a word. A block that realloc makes grow is no leak: somebody holds it. */
export function unboundedOf({ growth, sample }: Pick<Facts, 'growth' | 'sample'>): Unbounded | null {
  const { rssBytes, breakdown, liveBlocks } = sample;
  const parts = growth.parts.filter(({ grownByRealloc }) => grownByRealloc === 0);
  const sum = (of: readonly GrowingPart[], what: 'bytes' | 'steps') => of.reduce((total, p) => total + p[what], 0);
  const bytes = sum(parts, 'bytes');
  if (rssBytes === 0) return null;
  if (bytes >= rssBytes * WORTH_FINDING) {
    const isAtWork = isMuch(growth.freed, sum(parts, 'steps'), bytes);
    return { parts, bytes, isAtWork, hasStopped: parts.every((part) => part.hasStopped) };
  }
  const stays = risesByMuch({ growth, sample }) && growth.floors[3] >= breakdown.requested * STAYS;
  if (!stays || growth.reallocBytes >= breakdown.requested * STAYS) return null;
  const isAtWork = isMuch(growth.freed, liveBlocks, breakdown.requested);
  return { parts: [], bytes: breakdown.requested, isAtWork, hasStopped: false };
}

/** Whether all of what it holds rises, and has risen by what is worth a word. */
export const risesByMuch = ({ growth: { rises, floors }, sample }: Pick<Facts, 'growth' | 'sample'>): boolean =>
  rises && floors[3] - floors[0] >= sample.rssBytes * WORTH_FINDING;

/** A program that starts and loads what it needs frees a few times what it keeps; one that is at work, so many times. */
const AT_WORK = 4;

const isMuch = (freed: Freed, blocks: number, bytes: Bytes): boolean =>
  freed.blocks >= AT_WORK * blocks || freed.bytes >= AT_WORK * bytes;
