import { bytes, counted, percent } from '../../sim/contract/format.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import { isWithin } from '../machine/worst-moments.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { isOfRecycled } from './climbing-finding.ts';
import { destinationOf } from './destination.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import type { GroupFigures } from './group-figures.ts';
import { isOfCopies } from './pool-ceiling.ts';
import { takenText } from './service-finding.ts';

/** So much a second read again is worth a look. */
const WORTH_BYTES = 2 ** 20;
/** With less than this share of its limit beside page cache a group is in no danger. */
const SAFE = 0.8;
/** So much of a rise is all of it. */
const NEARLY = 0.8;

/** A group with a limit: whether it stands there by page cache alone, what it reads again and again, and whether the rest climbs. */
export function groupFindings(group: GroupFigures, figures: FleetFigures, scenario: Scenario): Finding[] {
  const { maxBytes, highBytes, currentBytes, mostFirmBytes, events } = group;
  const limit = Math.min(maxBytes ?? Infinity, highBytes ?? Infinity);
  if (limit === Infinity) return [];
  const wasKilled = (events['oom_kill'] ?? 0) > 0;
  const isFull = currentBytes.trend.highestBytes > 0.9 * limit;
  const isSafe = isFull && mostFirmBytes < SAFE * limit && !wasKilled;
  return [
    ...highFindings(group),
    ...(isSafe ? [cacheFinding(group, limit, figures, scenario)] : readAgainFindings(group, figures, scenario)),
    ...(wasKilled ? [] : climbFindings(group, limit, figures, scenario)),
  ];
}

/** Whether reclaim cannot bring it below its memory.high any more: whoever of it wants memory waits, each time anew. */
export const isHeldUp = ({ highBytes, firmBytes, events }: GroupFigures): boolean =>
  highBytes !== null && (events['high'] ?? 0) > 0 && firmBytes.trend.endBytes >= highBytes;

/** How the course of such a group begins. */
export const HELD_UP = 'held up';

function highFindings(group: GroupFigures): Finding[] {
  const { name, highBytes, mostFirmBytes, events } = group;
  const times = events['high'] ?? 0;
  if (times === 0 || highBytes === null) return [];
  const isStuck = isHeldUp(group);
  const stuck = isStuck
    ? ' At the end it stands there: its processes hardly go on, and need less, or a higher memory.high.'
    : '';
  const why =
    mostFirmBytes < highBytes
      ? ` By page cache alone: what it holds beside it is ${bytes(mostFirmBytes)} at most, so reclaim finds what to take.`
      : ` What it holds beside page cache comes to ${bytes(mostFirmBytes)}: reclaim cannot take that, and the wait grows with it.`;
  return [
    {
      severity: isStuck ? 'ends' : 'watch',
      about: name,
      ...(isStuck && { course: `${HELD_UP} above memory.high of ${name}, by what reclaim cannot take` }),
      text: `${name} went over memory.high (${bytes(highBytes)}) ${counted(times, 'time')}: its processes were made to wait while memory was reclaimed.${why}${stuck}`,
    },
  ];
}

/** It stands at its limit, and that is no danger. */
function cacheFinding(group: GroupFigures, limit: number, figures: FleetFigures, scenario: Scenario): Finding {
  const { name, currentBytes, mostFirmBytes: firm, cacheBytes, dirtyBytes, kernelBytes } = group;
  const swap = sizeBytes(scenario.machine.swap)! === 0 ? ', and there is no swap' : '';
  const dirty =
    dirtyBytes > 0 ? ` (at samples at most ${bytes(dirtyBytes)} of it had to be written to the disk first)` : '';
  const again = readAgainText(group, figures, scenario);
  return {
    severity: perSecond(group, figures) > WORTH_BYTES ? 'watch' : 'fine',
    about: name,
    text: `${name} stands at its limit (${percent(currentBytes.trend.highestBytes / limit)} of ${bytes(limit)}), and that is no danger: ${bytes(cacheBytes.values.at(-1)!)} of it is page cache at the end, which the kernel takes back when something else is needed${dirty}. What it could not take back is ${bytes(firm)} at most (${percent(firm / limit)} of the limit${swap}): anonymous and shared memory, and ${bytes(kernelBytes)} of the kernel's own. Do not raise the limit for this. An alert on memory.current alone fires at its page cache: watch memory.current - file + shmem (the last two of memory.stat), which leaves what cannot be taken back; half-way between what it came to here and the limit is ${percent((1 + firm / limit) / 2)} of the limit. ${again === '' ? 'Nothing had to be read again.' : again}`,
  };
}

/** Where it is no matter of course that page cache fills the limit. */
function readAgainFindings(group: GroupFigures, figures: FleetFigures, scenario: Scenario): Finding[] {
  if (perSecond(group, figures) <= WORTH_BYTES) return [];
  return [{ severity: 'watch', about: group.name, text: readAgainText(group, figures, scenario) }];
}

const perSecond = ({ refaults }: GroupFigures, { timesUs }: FleetFigures) =>
  (refaults * 4096) / (timesUs.at(-1)! / 1e6);

/** What was evicted and read again; nothing where nothing was. */
function readAgainText(group: GroupFigures, figures: FleetFigures, { services }: Scenario): string {
  const { name, refaults, cacheBytes, mostFirmBytes } = group;
  if (refaults === 0) return '';
  const rate = `${bytes(refaults * 4096)} of files (${bytes(perSecond(group, figures))} a second on average) were read again after they had been evicted`;
  const files = services.filter((service) => isWithin(service.group, name)).flatMap(({ reads }) => reads);
  const allBytes = [...new Map(files.map(({ path, size }) => [path, sizeBytes(size)!])).values()].reduce(
    (sum, size) => sum + size,
    0,
  );
  const room = `${name} has room for ${bytes(cacheBytes.trend.highestBytes)} of page cache at most at a sample`;
  const cure =
    allBytes > cacheBytes.trend.highestBytes
      ? `. ${room}, and its services read ${bytes(allBytes)} of files in turn from their beginning: what is read next was evicted longest ago, so a cache that is only somewhat larger saves little, and one for all of it nearly everything (with the rest ${bytes(allBytes + mostFirmBytes)})`
      : ': a larger cache may save disk reads';
  return `${rate}${cure}. That is a question of speed, not of safety.`;
}

function climbFindings(group: GroupFigures, limit: number, figures: FleetFigures, scenario: Scenario): Finding[] {
  const { name, firmBytes } = group;
  const trend = firmBytes.kept;
  // Copies of what was preloaded, workers that are replaced, and snapshots of data that grow, come to an end of their own, which their findings tell.
  const isOfWorkers = figures.pools.some(
    (pool, i) =>
      isWithin(scenario.pools[i]!.group, name) &&
      (isOfCopies(pool, trend.riseBytes) || isOfRecycled(pool, scenario.pools[i]!, trend.riseBytes)),
  );
  // Nor is what is all of a pool's workers, or of a service, told twice.
  const rises = [
    ...figures.pools.map(({ privateBytes: { kept } }, i) => ({ trend: kept, group: scenario.pools[i]!.group })),
    ...figures.services.map(({ trend: own }, i) => ({ trend: own, group: scenario.services[i]!.group })),
  ].filter(({ trend: own, group: of }) => isWithin(of, name) && own.shape === 'climbs');
  // Shared regions that requests fill have a ceiling, which their own finding tells.
  const filled = figures.pools.flatMap(({ growing }, i) => (isWithin(scenario.pools[i]!.group, name) ? growing : []));
  const told =
    rises.reduce((sum, { trend: own }) => sum + own.riseBytes, 0) +
    filled.reduce((sum, { firstBytes, lastBytes }) => sum + lastBytes - firstBytes, 0);
  const isSnapshot = scenario.services.some(
    ({ group: own, snapshot, grows }) => isWithin(own, name) && snapshot !== undefined && sizeBytes(grows)! > 0,
  );
  if (isHeldUp(group) || trend.shape !== 'climbs' || isOfWorkers || isSnapshot || told > NEARLY * trend.riseBytes)
    return [];
  const untilUs = figures.timesUs.at(-1)!;
  const what = `memory.${limit === group.maxBytes ? 'max' : 'high'} of ${name}`;
  const { isBelow, course, text } = destinationOf(
    trend,
    {
      what,
      bytes: limit,
      leftBytes: limit - firmBytes.trend.endBytes,
      worstLeftBytes: Math.max(0, limit - group.mostFirmBytes),
      trend,
    },
    untilUs,
  );
  return [
    {
      severity: isBelow || !trend.isSteady ? 'watch' : 'ends',
      about: name,
      ...course,
      text: `What ${name} holds beside page cache climbs, by ${bytes(trend.perHourBytes)} an hour at the end, ${text}.${growersText(name, scenario)}`,
    },
  ];
}

/** Services of a group that give nothing back. */
function growersText(group: string, { services }: Scenario): string {
  return services
    .filter((service) => isWithin(service.group, group))
    .flatMap((service) => [
      takenText(service),
      ...(sizeBytes(service.tmpfs_grows)! > 0
        ? [
            ` ${service.name} adds ${bytes(sizeBytes(service.tmpfs_grows)!)} in /dev/shm every ${service.every} and removes nothing: without swap nobody can reclaim that, although memory.stat has it in file too (shmem).`,
          ]
        : []),
    ])
    .join('');
}
