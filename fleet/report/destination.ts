import { bytes, percent } from '../../sim/contract/format.ts';
import { courseText, whenText } from './forecast.ts';
import type { Limit } from './limits.ts';
import { endsBelow, type Trend } from './trend.ts';

/** Where what climbs comes to, below a limit or at it. */
export interface Destination {
  readonly isBelow: boolean;
  /** Of a finding; nothing where it stops well before the limit. */
  readonly course: { readonly course: string } | undefined;
  /** Behind "climbs by so much an hour". */
  readonly text: string;
}

/** What the climb of one belongs to. */
export const WHOLE = 'all that counts there';

/** Above this share of a limit hardly anything is left. */
const NEAR = 0.9;

/** One answer for all findings of what comes to a limit: `trend` is of all that counts there. `whole`: what the trend is of, where that is not what climbs. */
export function destinationOf(trend: Trend, limit: Limit, lengthUs: number, whole = 'it'): Destination {
  const { what, worstLeftBytes: leftBytes } = limit;
  if (!endsBelow(trend, leftBytes))
    return {
      isBelow: false,
      course: { course: courseText(trend, what, leftBytes, lengthUs) },
      text: `towards ${what} (${bytes(limit.bytes)}), of which ${bytes(leftBytes)} were left at the worst moment: used up ${whenText(trend, leftBytes, lengthUs)}`,
    };
  const share = trend.towardsBytes / limit.bytes;
  return {
    isBelow: true,
    course: share > NEAR ? { course: `climbs towards ${percent(share)} of ${what}` } : undefined,
    text: `more slowly from third to third of the run: ${whole} goes towards about ${bytes(trend.towardsBytes)}, ${percent(share)} of ${what} (${bytes(limit.bytes)})${share > NEAR ? ', which leaves hardly anything for requests in progress' : ''}`,
  };
}
