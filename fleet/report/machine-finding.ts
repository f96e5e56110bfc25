import { bytes, counted, percent } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import { courseText, FORECAST_LENGTHS, whenText } from './forecast.ts';
import { endsBelow } from './trend.ts';

/** Below this share of all memory little is left. */
const LITTLE = 0.2;
/** A service with less than this share of it is not named. */
const SHARE = 0.02;

/** What the time line between its samples hides: bursts that leave little. */
export function burstFinding({
  availableBytes,
  lowestAvailableBytes: lowest,
  lowest: moment,
  totalBytes,
  swapBytes,
  pools,
  services,
  kills,
}: FleetFigures): Finding[] {
  const usual = availableBytes.trend.lastBytes;
  if (kills > 0 || lowest > LITTLE * totalBytes || lowest > 0.5 * usual) return [];
  const busy = pools.map(({ name, mostBusy }) => `${counted(mostBusy, 'busy worker')} of ${name}`).join(', ');
  const by = pools.length > 0 ? ` by requests in progress (at most ${busy} at once)` : '';
  const advice =
    pools.length > 0
      ? 'Spread what comes at once, lower max_children so that it waits, or ask sim plan how many workers that memory takes.'
      : 'Nothing else has room on this machine then: spread what services do at once, or give it more memory.';
  const shares = services
    .map(({ name }, i) => ({ name, pssBytes: moment?.services[i]?.pssBytes ?? 0 }))
    .filter(({ pssBytes }) => pssBytes > SHARE * totalBytes);
  const beside =
    shares.length > 1
      ? ` Then ${shares.map(({ name, pssBytes }) => `${name} has ${bytes(pssBytes)}`).join(', ')}.`
      : '';
  return [
    {
      severity: 'watch',
      about: 'machine',
      text: `Between samples MemAvailable falls to ${bytes(lowest)}, ${percent(lowest / totalBytes)} of memory${by}${moment ? `, lowest at ${durationText(moment.atUs)}` : ''}; at the end it is ${bytes(usual)}. What needs about ${bytes(lowest)} more then${swapBytes > 0 ? ` goes to swap (${bytes(swapBytes)}) as far as that has room, and then it` : ''} gets somebody killed${moment?.likeliestVictim ? `, ${moment.likeliestVictim} first (the highest oom_score then)` : ''}.${beside} ${advice}`,
    },
  ];
}

/** Why page cache does not fill what is free: it was taken back whenever that ran short, and what is read since does not fill it. */
function evictedText({ cacheBytes, freeBytes, takenBackBytes, totalBytes }: FleetFigures): string {
  if (freeBytes.trend.lastBytes < FREE_SHARE * totalBytes || takenBackBytes < cacheBytes.trend.highestBytes) return '';
  return ` It does not fill the ${bytes(freeBytes.trend.lastBytes)} that are free at the end, since whenever memory ran short it was taken back (${bytes(takenBackBytes)} in all), and what is read in between brings no more.`;
}

/** How far swap is used, while nobody was killed. */
function swapFindings({ swapUsedBytes, swapBytes, swappedInBytes, timesUs, kills }: FleetFigures): Finding[] {
  const { values, trend } = swapUsedBytes;
  if (kills > 0 || swapBytes === 0 || trend.highestBytes < SWAP_SHARE * swapBytes) return [];
  const from = timesUs[values.findIndex((value) => value >= 0.9 * trend.highestBytes)]!;
  const isFull = trend.highestBytes > 0.95 * swapBytes;
  return [
    {
      severity: isFull ? 'watch' : 'fine',
      about: 'machine',
      text: `Swap holds ${bytes(trend.highestBytes)} of ${bytes(swapBytes)} from ${durationText(from)} on${isFull ? ': it is full, and takes no more in the next shortage' : ''}. ${bytes(swappedInBytes)} of it had to be read back: ${swappedInBytes > trend.highestBytes ? 'what was taken is in use, and whoever uses it waits for the disk' : 'what was taken is hardly used'}.`,
    },
  ];
}

/** So much of swap is worth a word. */
const SWAP_SHARE = 0.1;
/** So much of memory that is free would take page cache. */
const FREE_SHARE = 0.1;
/** So much of memory is worth a word when somebody is killed. */
const KILL_SHARE = 0.1;

/** Whether nearly all of what Shmem rises by is regions that requests fill: these have a ceiling, which is told of them. */
const isOfRegions = ({ pools, shmemBytes }: FleetFigures): boolean =>
  pools.flatMap(({ growing }) => growing).reduce((sum, { firstBytes, lastBytes }) => sum + lastBytes - firstBytes, 0) >
  NEARLY * shmemBytes.trend.riseBytes;

/** So much of a rise is all of it. */
const NEARLY = 0.8;

export function machineFindings(figures: FleetFigures): Finding[] {
  const found: Finding[] = [];
  const { shmemBytes, slabBytes, pageTableBytes, cacheBytes, anonBytes, activeAnonBytes, totalBytes, availableBytes } =
    figures;
  const kill = figures.firstKill;
  for (const [series, atKill, what, why] of [
    [
      shmemBytes,
      kill?.machineShmemBytes,
      'Shared memory and tmpfs (Shmem)',
      'it is in Cached, and yet nothing can reclaim it without swap',
    ],
    [slabBytes, kill?.slabBytes, 'The kernel’s own memory (Slab)', 'descriptors, sockets and names'],
    [pageTableBytes, kill?.pageTableBytes, 'Page tables', 'every process has its own for what it shares'],
  ] as const) {
    const { trend } = series;
    const us = (availableBytes.trend.endBytes / trend.perHourBytes) * 3600e6;
    if (
      figures.kills === 0 &&
      trend.shape === 'climbs' &&
      !(series === shmemBytes && isOfRegions(figures)) &&
      trend.isSteady &&
      !endsBelow(trend, availableBytes.trend.endBytes) &&
      us < FORECAST_LENGTHS * figures.timesUs.at(-1)!
    )
      found.push({
        severity: 'ends',
        about: 'machine',
        course: courseText(trend, 'all memory', availableBytes.trend.endBytes, figures.timesUs.at(-1)!),
        text: `${what} climbs by ${bytes(trend.perHourBytes)} an hour (${bytes(trend.firstBytes)} → ${bytes(trend.lastBytes)}; ${why}); MemAvailable would be used up ${whenText(trend, availableBytes.trend.endBytes, figures.timesUs.at(-1)!)}.`,
      });
    if (atKill !== undefined && atKill > KILL_SHARE * totalBytes)
      found.push({
        severity: 'watch',
        about: 'machine',
        text: `${what} had come from ${bytes(trend.firstBytes)} to ${bytes(atKill)} when somebody was killed first (${why}).`,
      });
  }
  found.push(...swapFindings(figures));
  if (cacheBytes.trend.riseBytes > 0.05 * totalBytes)
    found.push({
      severity: 'fine',
      about: 'machine',
      text: `Page cache is larger than at the start (${bytes(cacheBytes.trend.firstBytes)}; ${bytes(cacheBytes.trend.lastBytes)} at the end, ${bytes(cacheBytes.trend.highestBytes)} at most at a sample), and MemFree is smaller by it: that is what free memory is for, and MemAvailable (${bytes(availableBytes.trend.lastBytes)} at the end) already counts it as available.${evictedText(figures)}`,
    });
  const fullest = anonBytes.values.indexOf(anonBytes.trend.highestBytes);
  if (
    anonBytes.trend.highestBytes > 0.01 * totalBytes &&
    activeAnonBytes.trend.highestBytes < 0.3 * anonBytes.trend.highestBytes
  )
    found.push({
      severity: 'fine',
      about: 'machine',
      text: `Active(anon) shows ${bytes(activeAnonBytes.values[fullest]!)} of ${bytes(anonBytes.values[fullest]!)} at ${durationText(figures.timesUs[fullest]!)}: since Linux 5.9 anonymous pages begin on the inactive list and move on only when memory is scanned. Watch AnonPages.`,
    });
  return found;
}
