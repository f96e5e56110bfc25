import type { RunResult } from '../run/result.ts';
import type { HeatMap, MomentData } from './page-data.ts';
import type { StackBytes } from './sites/stacks.ts';

/** How much a run keeps for pictures: samples close enough for curves, or what lies on every page as well. */
export type Recorded = 'samples' | 'pages';

/** What a verdict is about: the rows executed, and which moment that is, as the end of `resident …`. */
export interface Judged {
  readonly event: number;
  readonly about: string;
}

/** One run of a report; what was not recorded while it ran is left out of the page. */
export interface ReportRun {
  readonly result: RunResult;
  readonly heat?: HeatMap | null;
  readonly moments?: readonly MomentData[];
  /** Where it is judged, if not at its end. */
  readonly judged?: Judged;
  /** Of a workload that goes on behind the run's end: what that end is, as the end of `Judged …`. */
  readonly upTo?: string;
  /** Lines of an explanation: what it is, and what would change it. */
  readonly verdict?: readonly string[];
  /** What that rests on. */
  readonly why?: readonly string[];
  /** Resident bytes by call stack, of a trace with call sites. */
  readonly sites?: readonly StackBytes[];
  /** Which moment they are of: completes "resident …". */
  readonly sitesAbout?: string;
}
