import { count, counted } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import type { LogUse } from '../requests/arrival-logs.ts';

/** A log that ends earlier leaves a part of the time without its requests. */
const COVERED = 0.95;

/** What an arrival log gave, and what of it is not in the run. */
export function logText(
  { name, requests, unmatched, early, late, lastUs, originUs }: LogUse,
  durationUs: number,
): string {
  const from = originUs === null ? '' : `, from ${timeText(originUs)} on`;
  const leftOut = [
    ...(unmatched > 0 ? [`${counted(unmatched, 'line')} that no request matches`] : []),
    ...(early > 0 ? [`${count(early)} before that`] : []),
    ...(late > 0 ? [`${count(late)} after the end`] : []),
  ];
  const without = leftOut.length > 0 ? `; left out: ${leftOut.join(', ')}` : '';
  const short =
    requests > 0 && lastUs < COVERED * durationUs ? `; nothing of it comes after ${durationText(lastUs)}` : '';
  return `${name}: ${counted(requests, 'request')} as recorded${from}${without}${short}.`;
}

const timeText = (us: number) => `${new Date(us / 1e3).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
