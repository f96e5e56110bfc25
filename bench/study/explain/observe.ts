import { type EventBuffer, isAllocating, OP_MASK } from '../../../sim/contract/event.ts';
import { bytes } from '../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../sim/contract/units.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { assumedWrites } from '../../../workloads/trace/assumed-writes.ts';
import { ownLine } from '../../report/sites/frames.ts';
import { collectAreas } from '../../run/areas.ts';
import { replacingNoLoop } from '../../run/loops.ts';
import type { Assembled } from '../../run/machine.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RowWatcher } from '../../run/run-options.ts';
import { countsByName } from '../../run/run-result.ts';
import type { Facts } from './explanation.ts';
import { lifeEnd } from './going-down/final-frees.ts';
import { hasCallSites, siteBytes, stackOfRow } from './heap/by-site.ts';
import { demandOf } from './heap/demand.ts';
import { createExperiment } from './heap/experiment.ts';
import { type LastFreed, watchLastFreed } from './heap/last-freed.ts';
import { liveBlocks } from './heap/live-blocks.ts';
import { findPinning, heldPages } from './heap/pinning.ts';
import { collectRanges, keptPages, reportAreas, sumOfAreas } from './heap/ranges.ts';
import { predictReturns } from './heap/returns.ts';
import { runWatchingTunables } from './heap/tunable-changes.ts';
import { findMechanisms } from './mechanisms/index.ts';
import type { Moment } from './moment/moment.ts';
import { momentOf } from './moment/moment-in-run.ts';
import type { Observed, ObserveOptions } from './observed.ts';
import { forkedAt, forkRow, nearestLook, notingResident, processAt } from './recorded/process-at.ts';
import { programTime } from './recorded/program-time.ts';
import { pythonObjects } from './recorded/python.ts';
import { recordingOf } from './recorded/recording.ts';
import { createPricing, priceOfCalls } from './settings/priced-work.ts';

const PINNING_GROUPS = 10;
/** Of what a program held at most: it has done its work. */
const HARDLY_ANY = 0.05;

/** Runs the workload as it is up to the moment, and looks at the machine there. */
export function observe(options: ObserveOptions): Observed {
  const moment = momentOf(options, options.at, options.known);
  let last: LastFreed | undefined;
  const watch = hasCallSites(options.events)
    ? (assembled: Assembled) => (last = watchLastFreed(options.events, assembled)) as LastFreed & RowWatcher
    : undefined;
  const session = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true, watch });
  const { events, pinningGroups = PINNING_GROUPS } = options;
  const hasLayer = session.assembled.request !== undefined;
  const lives = moment.kind === 'exit' ? lifeEnd(events, moment.end) : moment.end;
  const demanded = demandOf(events, moment.end, hasLayer, lives);
  const look = nearestLook(events, moment.end);
  const lookedAt = look?.eventsLater ? look.row : moment.end;
  const fork = forkRow(events, moment.end);
  const noted = notingResident(session, fork === undefined ? [lookedAt] : [fork, lookedAt]);
  const tunableChanges = replacingNoLoop(() => runWatchingTunables(noted, events, moment.end, demanded));
  const demand = session.row === moment.end ? demanded : demandOf(events, session.row, hasLayer);

  const { assembled } = session;
  const rssPeakBytes = assembled.machine.kernel.residency.residentPeakPages() * PAGE_BYTES;
  const experiment = createExperiment(assembled.machine.memory);
  // Reading statistics may write some: jemalloc keeps tables for it. All that follows stands where the run does.
  experiment(() => session.sample(options.at ?? '(end)', session.row));
  const sample = session.samples.at(-1)!;
  const { blocks, threads } = liveBlocks(session, events);
  const ranges = collectRanges(assembled, blocks);
  const kept = keptPages(assembled, ranges);
  const areas = collectAreas(assembled);
  const reports = reportAreas(assembled, areas, ranges, blocks, kept);
  const callsNs = priceOfCalls(options, session.row);
  const found: Facts = {
    run: session.describe(),
    event: session.row,
    moment: { kind: moment.kind, about: aboutMoment(moment, events, session.row, sample) },
    rssPeakBytes,
    abort: session.abort,
    workNs: createPricing(options, callsNs)(countsByName(assembled.machine.operations)),
    sample: { ...sample, ...sumOfAreas(reports) },
    areas: reports,
    returns: predictReturns(assembled, areas, threads, experiment),
    pinning: findPinning(assembled, areas, ranges, blocks, kept, threads, experiment, pinningGroups).map((group) =>
      hasCallSites(events) ? { ...group, line: ownLine(stackOfRow(events, group.blocks[0]!.event)) } : group,
    ),
    heldPages: heldPages(assembled, ranges, blocks, kept),
    tunables: assembled.allocator.tunables?.() ?? null,
    tunableChanges,
    growth: demand.growth,
    process: null,
    processEventsLater: 0,
    forked: forkedAt(fork, noted),
    assumedWriteBytes: assumedWrites(events, session.row),
    recording: null,
    python: pythonObjects(events),
    threads: events.threadSlots,
    sites: null,
    programNs: programTime(events, session.row),
    times: null,
    orders: null,
  };
  const sites = last
    ? (siteBytes(events, last, { assembled, areas, ranges, blocks, sums: found.sample }) ?? null)
    : null;
  const facts = { ...found, sites };
  const situation = {
    facts,
    failedAllocations: session.failedRows.length,
    assembled,
    experiment,
    blocks,
    options,
    events,
    demand,
    end: session.row,
    rssPeakBytes,
  };
  const findings = sample.rssBytes === 0 ? [] : findMechanisms(situation);
  // The machine is needed no more: it may go on to a later look.
  if (look && look.eventsLater > 0) noted.advance(look.row);
  const process = look && processAt(events, look, noted.residentBytes(lookedAt));
  return { facts: { ...facts, ...process, recording: recordingOf(options, look, assembled) }, findings, callsNs };
}

/** Where nothing lives any more, with where it last did. */
function aboutMoment({ about, kind }: Moment, events: EventBuffer, end: number, sample: Sample): string {
  const { liveBlocks, rssBytes, requestedBytes } = sample;
  const most = events.requestedPeakBytes;
  if (kind === 'exit' && liveBlocks > 0 && requestedBytes < most * HARDLY_ANY) {
    return `${about}; of the ${bytes(most)} that the program held at most it has given back nearly all by then (--at peak judges that)`;
  }
  if (liveBlocks > 0 || rssBytes === 0) return about;
  let last = end - 1;
  while (last > 0 && !isAllocating(events.head[last]! & OP_MASK)) last--;
  return `${about}, where no block lives any more (where the last one was allocated: --at #${last})`;
}
