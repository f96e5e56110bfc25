import { collectAreas } from '../../run/areas.ts';
import { Session, type SessionOptions } from '../../run/session.ts';
import { rowsUntil } from '../../run/stop-point.ts';
import { createExperiment } from './experiment.ts';
import { EXPLANATION_SCHEMA, type Explanation } from './explanation.ts';
import { growthOf } from './growth.ts';
import { liveBlocks } from './live-blocks.ts';
import { findPinning, heldPages } from './pinning.ts';
import { collectRanges, keptPages, reportAreas } from './ranges.ts';
import { predictReturns } from './returns.ts';
import { runWatchingTunables } from './tunable-changes.ts';
import { judge } from './verdict.ts';
import { runWhatIfs } from './what-if.ts';

export interface ExplainOptions extends SessionOptions {
  /** A sample's label, `#N` for event N; without it the end of the run. */
  readonly at?: string;
  /** How many groups of pinning blocks to list. */
  readonly pinningGroups?: number;
  /** Run other settings too and compare. On unless false. */
  readonly whatIf?: boolean;
}

const PINNING_GROUPS = 10;

/**
 * Replays the workload in file order up to a point and says where the resident bytes are, what keeps them, what the
 * allocator would give back, and which setting would change it. Predictions are measured on the machine itself and
 * undone; alternatives are run.
 */
export function explain(options: ExplainOptions): Explanation {
  const end = rowsUntil(options.events, options.at);
  const session = new Session({ ...options, mode: 'lockstep' });
  const tunableChanges = runWatchingTunables(session, options.events, end);

  const { events, pinningGroups = PINNING_GROUPS } = options;
  const { assembled } = session;
  const experiment = createExperiment(assembled.machine.memory);
  // Reading statistics may write some: jemalloc keeps tables for it. All that follows stands where the run does.
  experiment(() => session.sample(options.at ?? '(end)', session.row));
  const sample = session.samples.at(-1)!;
  const { blocks, threads } = liveBlocks(session, events);
  const ranges = collectRanges(assembled, blocks);
  const kept = keptPages(assembled, ranges);
  const areas = collectAreas(assembled);
  const facts = {
    run: session.describe(),
    event: session.row,
    abort: session.abort,
    sample,
    areas: reportAreas(assembled, areas, ranges, blocks, kept),
    returns: predictReturns(assembled, areas, threads, experiment),
    pinning: findPinning(assembled, areas, ranges, blocks, kept, threads, experiment, pinningGroups),
    heldPages: heldPages(assembled, ranges, blocks, kept),
    tunables: assembled.allocator.tunables?.() ?? null,
    tunableChanges,
    growth: growthOf(events, session.row),
    whatIf: options.whatIf === false ? [] : runWhatIfs(options, session.row),
  };
  return { schema: EXPLANATION_SCHEMA, ...facts, verdict: judge(facts) };
}
