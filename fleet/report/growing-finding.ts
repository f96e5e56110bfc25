import { bytes } from '../../sim/contract/format.ts';
import type { PoolFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import { roughTime } from './forecast.ts';
import type { Limit } from './limits.ts';
import type { GrowingRegion } from './pool-memory.ts';

/** A shared region that requests fill: whether there is room for all of it. `wasKilled`: somebody was, of that pool or its group. */
export function growingFinding(region: GrowingRegion, pool: PoolFigures, limit: Limit, wasKilled: boolean): Finding {
  const { name, sizeBytes, firstBytes, lastBytes, perHourBytes } = region;
  const left = sizeBytes - lastBytes;
  const about = pool.name;
  const grown = `${name} of ${pool.name} grows by ${bytes(perHourBytes)} an hour with its requests (${bytes(firstBytes)} → ${bytes(lastBytes)}): what they store there is never dropped. It is shared memory (Shmem), counted once, in the RSS of every worker that looks at it, and without swap nothing can reclaim it.`;
  const cure = `Give its entries a time to live, or its mapping (${bytes(sizeBytes)}) a size that fits.`;
  if (wasKilled && lastBytes > 0.5 * limit.bytes)
    return {
      severity: 'fails',
      about,
      text: `${grown} That is what ${limit.what} (${bytes(limit.bytes)}) was used up by. ${cure} Restarting workers does not help: it is the master's.`,
    };
  if (left <= 0) return { severity: 'fine', about, text: `${grown} It is full: it grows no further.` };
  if (left <= limit.worstLeftBytes)
    return {
      severity: 'fine',
      about,
      text: `${grown} Its ceiling is its size, ${bytes(sizeBytes)}, about ${roughTime((left / perHourBytes) * 3600e6)} after the end of this run, and ${limit.what} has room for it.`,
    };
  const endText = `about ${roughTime((Math.max(0, limit.worstLeftBytes) / perHourBytes) * 3600e6)} after the end of this run`;
  return {
    severity: 'ends',
    about,
    course: `climbs to ${limit.what} ${endText}`,
    text: `${grown} It reaches ${limit.what} (${bytes(limit.bytes)}) ${endText}, before it is full. ${cure} Restarting workers does not help: it is the master's.`,
  };
}
