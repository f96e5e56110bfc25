import { bytes, count, percent } from '../../sim/contract/format.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import type { FleetFigures, PoolFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import { courseText, courseToText, reachedText, whenText } from './forecast.ts';
import type { Limit } from './limits.ts';
import { ceilingOf, copiesUs } from './pool-ceiling.ts';
import { sinceText } from './trend.ts';

/** The most that a worker comes to copy. */
const mostText = ({ mostCopiedBytes, preloadBytes }: PoolFigures) =>
  mostCopiedBytes < preloadBytes ? `${bytes(mostCopiedBytes)} (by the last request before max_requests)` : 'all pages';

/** A pool whose workers still copy what was preloaded: towards which ceiling, and when that is more than there is. */
export function copyingFinding(pool: PoolFigures, file: PoolFile, figures: FleetFigures, limit: Limit): Finding {
  const trend = pool.privateBytes.kept;
  const lengthUs = figures.timesUs.at(-1)!;
  const copies = pool.copiedBytes * pool.workers;
  const { bytes: ceiling, besideBytes } = ceilingOf(pool, file, limit);
  const isAbove = ceiling > limit.bytes;
  const { when, course } = endOf(pool, file, limit, lengthUs);
  return {
    severity: !isAbove ? 'watch' : figures.kills > 0 ? 'fails' : 'ends',
    about: pool.name,
    ...(ceiling > 0.95 * limit.bytes && {
      course: `${isAbove ? course : 'climbs'}, more slowly with time: its ceiling is ${percent(ceiling / limit.bytes)} of ${limit.what}`,
    }),
    text: `What the workers of ${pool.name} keep of private memory between requests climbs ${sinceText(trend, lengthUs)} (${bytes(trend.firstBytes)} → ${bytes(trend.lastBytes)}), and ${bytes(copies)} of it is copies of preloaded pages. It slows down as fewer pages are left to copy; its ceiling is ${bytes(ceiling)} with ${mostText(pool)} copied in ${file.pm.max_children} workers and ${bytes(besideBytes)} beside them, ${isAbove ? 'which is more than' : `${percent(ceiling / limit.bytes)} of`} ${limit.what} (${bytes(limit.bytes)})${isAbove ? `; that is reached ${when}` : ''}. No setting of the allocator changes that; fewer writes to what is shared, fewer workers or recycling (max_requests) do.`,
  };
}

/** Copies go by a law of their own; where workers are replaced meanwhile they are of all ages, and the pace alone is known. */
function endOf(pool: PoolFigures, file: PoolFile, limit: Limit, lengthUs: number): { when: string; course: string } {
  const { what, worstLeftBytes: left } = limit;
  const us = copiesUs(pool, file, left, lengthUs);
  if (us !== undefined)
    return { when: `${reachedText(us, lengthUs)} if as many requests come`, course: courseToText(us, what, lengthUs) };
  const trend = pool.privateBytes.kept;
  const later = trend.isSteady ? ' or later' : '';
  return {
    when: `${whenText(trend, left, lengthUs)}${later && `,${later}`}`,
    course: `${courseText(trend, what, left, lengthUs)}${later}`,
  };
}

/** How far what was preloaded is copied by the end. */
export function copiedFinding(pool: PoolFigures, wasKilled: boolean, limit: Limit, file: PoolFile): Finding {
  const { copiedBytes, preloadBytes, workers } = pool;
  const share = copiedBytes / preloadBytes;
  const children = file.pm.max_children;
  const worst = pool.mostCopiedBytes * children;
  const ceiling = ceilingOf(pool, file, limit);
  const text = `Of the ${bytes(preloadBytes)} that ${pool.name} preloads before it forks a worker has copied ${bytes(copiedBytes)} (${percent(share)}) on average by the end: writing to a shared page copies it. ${workers} workers have ${bytes(copiedBytes * workers)} of copies together; at worst it is ${bytes(worst)}, ${pool.mostCopiedBytes < preloadBytes ? `with ${mostText(pool)} copied in each` : 'as if nothing had been preloaded'}.`;
  const isCause = wasKilled && ceiling.bytes > limit.bytes;
  const cause = isCause
    ? ` That is what ${limit.what} (${bytes(limit.bytes)}) was used up by: ${children} workers with ${mostText(pool)} copied need ${bytes(ceiling.bytes)} (${bytes(ceiling.workerBytes)} each with their heaps, and ${bytes(ceiling.besideBytes)} beside them), whatever the allocator; ${count(ceiling.fits)} fit.`
    : '';
  const advice =
    share > 0.3 || isCause
      ? ' What writes there (reference counts, a collector that marks) decides, not the allocator: freeze or move what is preloaded out of its reach, recycle workers before they have copied much, or have fewer of them' +
        ` (at most ${pool.mostBusy} of ${children} were busy at once).`
      : '';
  return {
    severity: isCause ? 'fails' : share > 0.3 ? 'watch' : 'fine',
    about: pool.name,
    text: `${text}${cause}${advice}`,
  };
}
