import type { RunResult } from '../run/result.ts';
import type { HeatMap, MomentData } from './page-data.ts';
import type { StackBytes } from './sites/stacks.ts';

/** One run of a report; what was not recorded while it ran is left out of the page. */
/** How much a run keeps for pictures: samples close enough for curves, or what lies on every page as well. */
export type Recorded = 'samples' | 'pages';

export interface ReportRun {
  readonly result: RunResult;
  readonly heat?: HeatMap | null;
  readonly moments?: readonly MomentData[];
  /** Lines of an explanation: what it is, and what would change it. */
  readonly verdict?: readonly string[];
  /** They are about what the end of the run has resident, which then need not be told once more. */
  readonly verdictTellsEnd?: boolean;
  /** What that rests on. */
  readonly why?: readonly string[];
  /** Resident bytes by call stack, of a trace with call sites. */
  readonly sites?: readonly StackBytes[];
  /** Which moment they are of: completes "resident …". */
  readonly sitesAbout?: string;
}
