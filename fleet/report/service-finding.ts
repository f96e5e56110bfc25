import { bytes } from '../../sim/contract/format.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { Scenario, ServiceFile } from '../scenario/scenario.ts';
import { destinationOf, WHOLE } from './destination.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import { roughTime } from './forecast.ts';
import { type Limit, nearestLimit, trendTo } from './limits.ts';
import type { Series } from './series.ts';
import { snapshotFinding } from './snapshot-finding.ts';
import { sinceText, type Trend } from './trend.ts';

/** A service whose memory climbs: to which limit, and how long it lasts between restarts. */
export function serviceFindings(
  series: Series,
  service: Scenario['services'][number],
  figures: FleetFigures,
  hugePages: boolean,
): Finding[] {
  if (service.snapshot) return [snapshotFinding(series, service, figures, hugePages)];
  const { trend } = series;
  if (trend.shape !== 'climbs') return [];
  const limit = nearestLimit(service.group, figures);
  const lengthUs = figures.timesUs.at(-1)!;
  const toLimit = trendTo(trend, limit);
  const { isBelow, course, text } = destinationOf(toLimit, limit, lengthUs, WHOLE);
  const ends = toLimit.isSteady && !isBelow;
  return [
    {
      severity: figures.kills > 0 ? 'fails' : ends ? 'ends' : 'watch',
      about: service.name,
      ...course,
      text: `${service.name} climbs ${sinceText(trend, lengthUs)}, by ${bytes(trend.perHourBytes)} an hour (${bytes(trend.firstBytes)} → ${bytes(trend.lastBytes)}), with no ceiling of its own, ${text}.${takenText(service)}${ends ? restartText(toLimit, trend, limit) : ''}`,
    },
  ];
}

/** What a service takes for good. */
export const takenText = ({ name, every, grows }: ServiceFile): string =>
  sizeBytes(grows)! > 0 ? ` ${name} takes ${bytes(sizeBytes(grows)!)} every ${every} and gives nothing back.` : '';

/** Of a climb this share is as good as all of it. */
const NEARLY = 0.8;

/** Nothing where others climb to the same limit. It begins anew with what it had at the start: from there the way to the limit is so much longer. */
function restartText(toLimit: Trend, own: Trend, { worstLeftBytes }: Limit): string {
  if (own.perHourBytes < NEARLY * toLimit.perHourBytes) return '';
  const us = ((worstLeftBytes + own.lastBytes - own.firstBytes) / toLimit.perHourBytes) * 3600e6;
  return ` A restart gives that back: from one to the next may be ${roughTime(us)} at most. More memory only puts it off.`;
}
