import { bytes } from '../../sim/contract/format.ts';
import type { FleetFigures, PoolFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import type { Limit } from './limits.ts';

/** Less than this share of a limit counted twice misleads nobody. */
const WORTH = 0.1;

/** What workers share is in the RSS of each: how far their sum is from what they need. */
export function sharingFindings(pool: PoolFigures, figures: FleetFigures, limit: Limit): Finding[] {
  const { name, rssBytes, pssBytes, sharedBytes, workers, privateBytes, preloadBytes } = pool;
  const rss = rssBytes.values.at(-1)!;
  const pss = pssBytes.values.at(-1)!;
  if (workers < 2 || sharedBytes === 0 || rss - pss < WORTH * limit.bytes) return [];
  // What is copied of what was preloaded becomes more: there it is no measure.
  const more =
    preloadBytes > 0
      ? ''
      : `, and one worker more needs about what one has of private memory, ${bytes(privateBytes.trend.lastBytes / workers)}, and its page tables (${bytes(figures.pageTableBytes.values.at(-1)!)} of all processes)`;
  return [
    {
      severity: 'fine',
      about: name,
      text: `RSS of the ${workers} workers of ${name} adds up to ${bytes(rss)} at the end${rss > limit.bytes ? `, more than ${limit.what} (${bytes(limit.bytes)})` : ''}: each counts what it has looked at of the ${bytes(sharedBytes)} that they share, which memory has once (Shmem). PSS, in which shared pages are divided, adds up to ${bytes(pss)}${more}.`,
    },
  ];
}
