import { durationText } from '../../sim/contract/quantities.ts';

/** How a figure went over the time of a scenario. */
export interface Trend {
  readonly firstBytes: number;
  /** At the last sample, and on average over the last twentieth, which the rises below are of. */
  readonly lastBytes: number;
  readonly endBytes: number;
  readonly highestBytes: number;
  readonly riseBytes: number;
  readonly shape: 'flat' | 'levels off' | 'climbs' | 'falls' | 'sawtooth';
  /** When nine tenths of the rise were done. */
  readonly settledUs: number;
  /** Whether it was never below that again, nor above where it ended. */
  readonly stays: boolean;
  /** When it began to rise. */
  readonly sinceUs: number;
  /** Over the last third, bytes an hour. */
  readonly perHourBytes: number;
  /** Where the rise slows down from third to third: what it goes towards; Infinity where it does not. */
  readonly towardsBytes: number;
  /** Rises of the second and of the last third. */
  readonly thirdsBytes: readonly [number, number];
  /** Whether the last third rose at the pace of the second, within PACE: only then a time can be forecast. */
  readonly isSteady: boolean;
}

/** Of two rises the smaller one is at least so much of the larger where the pace is the same. */
export const PACE = 0.5;

/** Below this share of what was there a rise is none, and below so many bytes. */
const NOISE_SHARE = 0.03;
/** A third that rises less than this share of the one before is slower. */
const SLOWING = 0.85;
const NOISE_BYTES = 8 * 2 ** 20;

/**
 * The course of one figure: values at times, both ascending in time. `begun`: where requests do not come evenly how many had begun by each time. A
 * third of the run is then a third of the requests, and an hour the mean one: what slows down in the night alone does not slow down.
 */
export function trendOf(timesUs: readonly number[], values: readonly number[], begun?: readonly number[]): Trend {
  const count = values.length;
  const window = Math.max(1, Math.floor(count / 20));
  const firstBytes = values[0]!;
  const lastBytes = values.at(-1)!;
  const endBytes = mean(values, count - window, count);
  const highestBytes = Math.max(...values);
  const riseBytes = endBytes - firstBytes;
  const noise = Math.max(NOISE_BYTES, NOISE_SHARE * Math.max(firstBytes, endBytes));
  const reached = (share: number) =>
    timesUs[
      Math.max(
        0,
        values.findIndex((value) => value >= firstBytes + share * riseBytes),
      )
    ]!;
  const settledUs = riseBytes > 0 ? reached(0.9) : timesUs[0]!;
  const sinceUs = riseBytes > 0 ? reached(0.05) : timesUs[0]!;
  const settled = values.slice(timesUs.indexOf(settledUs));
  const stays = Math.min(...settled) >= endBytes - noise && Math.max(...settled) <= endBytes + noise;
  const lengthUs = timesUs.at(-1)! - timesUs[0]!;
  const rises = risesOf(begun ?? timesUs, values, window);
  const perHourBytes = begun
    ? (rises[2] * 3 * 3600e6) / lengthUs
    : slope(timesUs.slice(-Math.ceil(count / 3)), values.slice(-Math.ceil(count / 3))) * 3600e6;
  const stillRising = perHourBytes * (lengthUs / 3600e6 / 3) > Math.max(noise / 2, 0.08 * riseBytes);
  const towardsBytes = limitOf(rises, endBytes);
  const thirdsBytes = [rises[1], rises[2]] as const;
  const isSteady = Math.min(...thirdsBytes) > 0 && Math.min(...thirdsBytes) >= PACE * Math.max(...thirdsBytes);
  let shape: Trend['shape'] = 'flat';
  if (riseBytes > noise) shape = stillRising ? 'climbs' : 'levels off';
  else if (riseBytes < -noise) shape = 'falls';
  else if (highestBytes - Math.min(...values) > 2 * noise) shape = 'sawtooth';
  return {
    firstBytes,
    lastBytes,
    endBytes,
    highestBytes,
    riseBytes,
    shape,
    settledUs,
    stays,
    sinceUs,
    perHourBytes,
    towardsBytes,
    thirdsBytes,
    isSteady,
  };
}

/** Whether it goes towards a value that leaves something of what is left now: then it never comes to the limit. */
export const endsBelow = ({ towardsBytes, endBytes }: Trend, leftBytes: number): boolean =>
  towardsBytes < endBytes + leftBytes;

/** What began so early began with the run: a twentieth of a rise takes a while. */
const EARLY = 0.1;

/** Since when it rises, for people. `lengthUs`: what was followed. */
export const sinceText = ({ sinceUs }: Trend, lengthUs: number): string =>
  sinceUs <= EARLY * lengthUs ? 'from the start on' : `since ${durationText(sinceUs)}`;

const mean = (values: readonly number[], from: number, to: number) =>
  values.slice(from, to).reduce((sum, value) => sum + value, 0) / Math.max(1, to - from);

/** Of each third of the way, in time or in requests; samples do not divide by three, so each is the pace between two of them over a third. */
function risesOf(way: readonly number[], values: readonly number[], window: number): [number, number, number] {
  const count = values.length;
  const point = (from: number, length = window) => ({
    at: mean(way, from, from + length),
    bytes: mean(values, from, from + length),
  });
  const reached = (share: number) => way.findIndex((at) => at >= way[0]! + share * (way.at(-1)! - way[0]!));
  const third = (i: number) => Math.min(count - window, reached(i / 3));
  const points = [point(0, 1), point(third(1)), point(third(2)), point(count - window)];
  const length = (points[3]!.at - points[0]!.at) / 3;
  const rise = (i: number) => {
    const [from, to] = [points[i]!, points[i + 1]!];
    return to.at > from.at ? ((to.bytes - from.bytes) / (to.at - from.at)) * length : 0;
  };
  return [rise(0), rise(1), rise(2)];
}

/** What comes to a limit slows down by one factor; by less and less what rises for good beside it. */
const ONE_FACTOR = 1.25;

/** A rise that becomes smaller by the same factor in each third goes on to a limit. */
function limitOf(rises: readonly [number, number, number], last: number): number {
  const factor = rises[2] / rises[1];
  if (!(rises[0] > 0 && rises[1] > 0 && rises[2] >= 0 && factor < SLOWING)) return Infinity;
  if (factor > (ONE_FACTOR * rises[1]) / rises[0]) return Infinity;
  return last + (rises[2] * factor) / (1 - factor);
}

/** Least squares: change of the value per unit of time. */
function slope(times: readonly number[], values: readonly number[]): number {
  const n = times.length;
  if (n < 2) return 0;
  const meanTime = times.reduce((sum, t) => sum + t, 0) / n;
  const meanValue = values.reduce((sum, v) => sum + v, 0) / n;
  let above = 0;
  let below = 0;
  times.forEach((t, i) => {
    above += (t - meanTime) * (values[i]! - meanValue);
    below += (t - meanTime) ** 2;
  });
  return below === 0 ? 0 : above / below;
}
