import { bytes } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import { PACE, type Trend } from './trend.ts';

/** A time is forecast up to so many times of what was followed. */
export const FORECAST_LENGTHS = 10;

/** The rule, for people. */
export const FORECAST_RULE = `a time is forecast only where the last third of the time rose at the pace of the second, within a factor of ${1 / PACE}, and not beyond ${FORECAST_LENGTHS} times what was followed; it is told as exactly as both paces agree`;

/** Times that differ by less are one. */
const ALIKE = 1.1;

/** When what rises has risen by so much more: `now`, `about 5h after the end of this run`, or why no time can be told. `lengthUs`: what was followed. */
export function whenText(trend: Trend, leftBytes: number, lengthUs: number): string {
  const { thirdsBytes, isSteady } = trend;
  if (leftBytes <= 0) return 'now';
  if (!isSteady)
    return `at a time that this run does not tell (it rose by ${bytes(Math.max(0, thirdsBytes[0]))} in the second third of it and by ${bytes(Math.max(0, thirdsBytes[1]))} in the last)`;
  const text = timeText(trend, leftBytes, lengthUs);
  return text === undefined
    ? `not within ${durationText(FORECAST_LENGTHS * lengthUs)} at that pace`
    : `${text} after the end of this run at ${text.startsWith('about') ? 'that pace' : 'the paces of its last two thirds'}`;
}

/** The same in a few words, for a row of a table. */
export function courseText(trend: Trend, what: string, leftBytes: number, lengthUs: number): string {
  if (leftBytes <= 0) return `climbs to ${what} now`;
  if (!trend.isSteady) return `climbs to ${what} at a time unknown`;
  const text = timeText(trend, leftBytes, lengthUs);
  return text === undefined
    ? `climbs to ${what}, not within ${durationText(FORECAST_LENGTHS * lengthUs)}`
    : `climbs to ${what} ${text} after the end`;
}

/** `about 62h`, or `50h to 70h` where the paces of the second and the last third are not one; undefined: beyond what is forecast. */
function timeText({ perHourBytes, thirdsBytes }: Trend, leftBytes: number, lengthUs: number): string | undefined {
  const us = (leftBytes / perHourBytes) * 3600e6;
  if (us > FORECAST_LENGTHS * lengthUs) return undefined;
  const times = [us, ...thirdsBytes.map((rise) => (leftBytes / rise) * (lengthUs / 3))];
  const [earliest, latest] = [Math.min(...times), Math.max(...times)];
  return latest > ALIKE * earliest && roughTime(earliest) !== roughTime(latest)
    ? `${roughTime(earliest)} to ${roughTime(latest)}`
    : `about ${roughTime(us)}`;
}

/** Of a time from the end on that something else than a pace tells. */
export const reachedText = (us: number, lengthUs: number): string =>
  us > FORECAST_LENGTHS * lengthUs
    ? `not within ${durationText(FORECAST_LENGTHS * lengthUs)}`
    : `about ${roughTime(us)} after the end of this run`;

/** The same in a few words. */
export const courseToText = (us: number, what: string, lengthUs: number): string =>
  us > FORECAST_LENGTHS * lengthUs
    ? `climbs to ${what}, not within ${durationText(FORECAST_LENGTHS * lengthUs)}`
    : `climbs to ${what} about ${roughTime(us)} after the end`;

const [SECOND, MINUTE, HOUR, DAY] = [1e6, 60e6, 3600e6, 86400e6];
const STEPS = [1, 5, 10, 30].flatMap((number) => [number * SECOND, number * MINUTE]).concat(HOUR);
/** From here on days are told. */
const LONG = 4 * DAY;
/** No forecast is more exact than this share of its time. */
const EXACT = 0.05;

/** A time that nobody knows to the minute: about two digits of it. */
export function roughTime(us: number): string {
  if (us >= LONG) return `${Number((us / DAY).toPrecision(2))} days`;
  const step = Math.max(SECOND, ...STEPS.filter((one) => one <= EXACT * us));
  return durationText(Math.round(us / step) * step);
}
