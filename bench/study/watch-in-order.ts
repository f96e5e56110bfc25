import { breathing } from '../../workloads/breathing.ts';
import type { Judged, ReportRun } from '../report/report-run.ts';
import type { StackBytes } from '../report/sites/stacks.ts';
import type { Assembled } from '../run/machine.ts';
import type { RunResult } from '../run/result.ts';
import type { RowWatcher, RunOptions } from '../run/run-options.ts';
import { bySiteSteps, hasCallSites, sitesOfRun } from './explain/heap/by-site.ts';
import { type LastFreed, watchLastFreed } from './explain/heap/last-freed.ts';
import { loadForMoment, momentSteps } from './explain/moment/moment-in-run.ts';

export type Sites = Pick<ReportRun, 'sites' | 'sitesAbout'>;

/** Where resident bytes are told by call site: where it is judged, else the moment that `explain` takes. */
async function sitesMoment(options: RunOptions, judged: Judged | undefined) {
  if (judged) return { end: judged.event, about: judged.about };
  await loadForMoment(options);
  return breathing(momentSteps(options, undefined), options.signal);
}

/** In a run of its own, for one in which threads go at their own pace. */
export async function sitesInOrder(options: RunOptions, judged: Judged | undefined): Promise<Sites> {
  const { end, about } = await sitesMoment(options, judged);
  const sites = await breathing(bySiteSteps(options, end), options.signal);
  return sites ? { sites, sitesAbout: about } : {};
}

/**
 * What somebody who watches a run in file order can tell besides: whose blocks lay last where memory is free now, and, in a trace with call
 * sites, all that is resident by them.
 */
export async function watchInOrder(options: RunOptions, judged: Judged | undefined) {
  const { events } = options;
  const moment = hasCallSites(events) ? await sitesMoment(options, judged) : undefined;
  let last: LastFreed | undefined;
  let machine: Assembled | undefined;
  let sites: StackBytes[] | undefined;
  const look = (row: number): void => {
    sites = sitesOfRun({ assembled: machine!, row }, events, last!);
  };
  return {
    watch(assembled: Assembled): RowWatcher {
      const watcher = watchLastFreed(events, assembled);
      machine = assembled;
      last = watcher;
      return moment ? alsoBefore(moment.end, watcher, look) : watcher;
    },
    lastFreed: () => last,
    /** Once the run is over; it may have come to its end, or to an abort, before the moment. */
    sites({ engine }: RunResult): Sites {
      if (!moment) return {};
      if (!sites) look(engine.events);
      return { sites: sites!, sitesAbout: moment.about };
    },
  };
}

/** Looks once more, before that row. */
function alsoBefore(row: number, watcher: RowWatcher, look: (row: number) => void): RowWatcher {
  return {
    next: (from, to) => watcher.next(from, from <= row && row < to ? row : to),
    look(at) {
      if (at !== row) return watcher.look(at);
      look(row);
      if (watcher.next(row, row + 1) === row) watcher.look(row);
    },
  };
}
