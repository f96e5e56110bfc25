import { type EventBuffer, rowsOf } from '../../../sim/contract/event.ts';
import { type CommonRows, openCommonRows, PIECE_ROWS } from '../common-rows.ts';
import { type Checker, createChecker } from './checker.ts';
import { createObservationCheck, rowSiteProblem, siteTreeProblem } from './side-tables.ts';

/**
 * What is wrong with a buffer that did not come from the compiler; undefined where nothing is. Whatever replays and
 * studies take for granted is checked: that threads live, that objects live and have the sizes that are said of them,
 * that lists and tables have what events refer to. The header's peak is believed. A buffer that the compiler has made has no problem.
 */
export function problemOf(events: EventBuffer, tables: CommonRows = openCommonRows(events)): string | undefined {
  const checker = createChecker(events, tables);
  const { sites, head, length, siteParent, observations } = events;
  return (
    problemOfRows(events, tables, checker) ??
    checker.finish() ??
    siteTreeProblem(events) ??
    (sites && rowSiteProblem(sites, head, length, 0, siteParent.length)) ??
    createObservationCheck(observations, rowsOf(events))(length)
  );
}

function problemOfRows(events: EventBuffer, tables: CommonRows, checker: Checker): string | undefined {
  for (let from = 0; from < events.length; from += PIECE_ROWS) {
    const to = Math.min(events.length, from + PIECE_ROWS);
    for (const name of ['head', 'slot', 'a', 'b'] as const) tables[name].set(events[name].subarray(from, to));
    const problem = checker.check(to);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
