import { ownLine } from '../../../report/sites/frames.ts';
import { callerOf } from '../../../report/sites/lines.ts';
import { type SitedEvents, stackOf } from '../heap/by-site.ts';

/** A line with so much of all allocations, and more than one caller, allocates for others. */
const FOR_OTHERS = 0.5;

/** By call site, the line of code that its blocks are known by; of a function that allocates for the rest of the program, the line that called it. */
export function linesOfSites(events: SitedEvents): (site: number) => string {
  const { sites, length } = events;
  const allocations = new Float64Array(events.siteParent.length);
  for (let row = 0; row < length; row++) allocations[sites[row]!]!++;
  allocations[0] = 0; // rows that allocate nothing, and allocations of which nothing is known
  const all = allocations.reduce((sum, count) => sum + count, 0);
  const ofLine = new Map<string, { allocations: number; readonly callers: Set<string> }>();
  allocations.forEach((count, site) => {
    if (count === 0) return;
    const stack = stackOf(events, site);
    const line = ownLine(stack);
    const known = ofLine.get(line) ?? { allocations: 0, callers: new Set() };
    known.allocations += count;
    known.callers.add(callerOf(line, stack));
    ofLine.set(line, known);
  });
  return (site) => {
    const stack = stackOf(events, site);
    const line = ownLine(stack);
    const known = ofLine.get(line);
    const isForOthers = known && known.allocations >= all * FOR_OTHERS && known.callers.size > 1;
    return isForOthers ? callerOf(line, stack) : line;
  };
}
