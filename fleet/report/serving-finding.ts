import { count, counted, percent } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import type { FleetFigures, PoolFigures } from './figures.ts';
import type { Finding } from './finding.ts';

/** Who waits longer than that for a worker waits long. */
const LONG_US = 1e6;

/** Requests of all pools that found the backlog full. */
export const refusedOf = ({ pools }: FleetFigures): number => pools.reduce((sum, { refused }) => sum + refused, 0);

/** Whether a pool's workers are enough for its requests: who was refused, who waits at the end, who waited long. */
export function servingFindings(pool: PoolFigures, { pm }: PoolFile): Finding[] {
  const { name, refused, refusedUs, unserved, requests, mostBusy, waitUs } = pool;
  const found = (text: string): Finding[] => [{ severity: 'watch', about: name, text }];
  const workers = `${counted(mostBusy, 'worker')} ${mostBusy === 1 ? 'is' : 'are'} too few for them`;
  const waiting = `${count(unserved)} still ${unserved === 1 ? 'waits' : 'wait'} at the end`;
  if (refusedUs) {
    const share = percent(refused / (refused + unserved + requests));
    const when =
      refused === 1
        ? `at ${durationText(refusedUs[0])}`
        : `from ${durationText(refusedUs[0])} to ${durationText(refusedUs[1])}`;
    const cure = `More workers (pm.max_children is ${count(pm.max_children)}), as far as memory allows, or shorter requests would help; a longer backlog lets them wait (now ${durationText(waitUs.max)} at most), which is enough only where they come in bursts.`;
    return found(
      `${counted(refused, 'request')} to ${name} (${share} of all) ${refused === 1 ? 'was' : 'were'} refused ${when}, since ${count(pm.backlog)} already waited (pm.backlog), and ${waiting}: ${workers}. ${cure}`,
    );
  }
  if (unserved > 0) return found(`Of the requests to ${name} ${waiting}: ${workers}.`);
  if (waitUs.p99 > LONG_US)
    return found(
      `One request in a hundred waits ${durationText(waitUs.p99)} or longer for a worker of ${name} (at most ${durationText(waitUs.max)}).`,
    );
  return [];
}
