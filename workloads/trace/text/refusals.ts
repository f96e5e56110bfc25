import { NUMBER_LIMIT, U32_MAX } from '../compiler/limits.ts';
import {
  ALIGNMENT_INVALID,
  BLOCK_TOO_LARGE,
  CLOCK_TOO_LARGE,
  FINE,
  OBJECT_DEAD,
  OBJECT_LIVE,
  OBJECT_OF_EMALLOC,
  OBJECT_OF_MALLOC,
  type Refusal,
  SITE_UNKNOWN,
} from '../compiler/refusal.ts';
import type { Line } from './line.ts';
import type { Rule } from './violation.ts';

/** Puts a refusal of the compiler into words; the line is still that of the event. */
export function reportRefusal(line: Line, why: Refusal): void {
  if (why === FINE) return;
  const { objectStart } = line;
  const [rule, found, expected] = wordsFor(why, line.quoted(objectStart).replaceAll('"', ''));
  line.report(rule, objectStart, found, expected);
}

function wordsFor(why: Exclude<Refusal, 0>, id: string): [rule: Rule, found: string, expected: string] {
  switch (why) {
    case OBJECT_DEAD:
      return ['object-dead', `object ${id}, which is not live`, 'a live object'];
    case OBJECT_LIVE:
      return ['object-live', `object ${id}, which is live already`, 'an object that is not live'];
    case OBJECT_OF_MALLOC:
      return ['object-family', `object ${id} of malloc in an e… event`, 'an object of emalloc'];
    case OBJECT_OF_EMALLOC:
      return ['object-family', `object ${id} of emalloc`, 'ef or er, or an object of malloc'];
    case BLOCK_TOO_LARGE:
      return ['block-size', `a block of count × size above ${U32_MAX} bytes`, `at most ${U32_MAX}`];
    case ALIGNMENT_INVALID:
      return ['alignment', 'an alignment that is no power of two', 'a power of two up to 2147483648'];
    case SITE_UNKNOWN:
      return ['site-unknown', 'a call site that no %site line names', 'one from above'];
    case CLOCK_TOO_LARGE:
      return ['clock-range', `a clock beyond ${NUMBER_LIMIT} ns`, 'less in all'];
  }
}
