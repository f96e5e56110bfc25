import type { RunResult } from '../run/result.ts';
import type { HeatMap, MomentData } from './page-data.ts';

/** One run of a report; what was not recorded while it ran is left out of the page. */
export interface ReportRun {
  readonly result: RunResult;
  readonly heat?: HeatMap | null;
  readonly moments?: readonly MomentData[];
  /** Lines of an explanation. */
  readonly verdict?: readonly string[];
  /** A picture by call site, as markup without scripts that needs nothing else (bench/report/sites). */
  readonly sites?: string;
}
