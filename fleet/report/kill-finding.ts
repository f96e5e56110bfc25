import { bytes, count, counted } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import { isWithin } from '../machine/worst-moments.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding } from './finding.ts';
import type { KillFigures } from './kill-figures.ts';
import { atLeastText } from './settable.ts';

/** So many names are told. */
const NAMES = 6;
/** One kind of request that makes up so much of what is in progress is the reason. */
const MAIN_SHARE = 0.9;
/** A smaller difference explains nothing. */
const CLEARLY = 1.02;

/**
 * Whom the kernel killed, for want of which memory, what had come together, and what is missing from then on. `knownBytes`: what the limit would
 * have to be, as far as that is known; 0: it is not.
 */
export function killFindings(figures: FleetFigures, scenario: Scenario, knownBytes: number): Finding[] {
  const { killed, firstKill } = figures;
  if (!firstKill) return [];
  const grown = figures.services.filter(
    ({ name, trend }) => killed.includes(name) && trend.highestBytes > 2 * trend.firstBytes + 2 ** 20,
  );
  const because = grown.map(
    ({ name, trend }) =>
      `${name} had grown from ${bytes(trend.firstBytes)} to ${bytes(trend.highestBytes)}, with no ceiling of its own.`,
  );
  const masters = scenario.pools.filter(({ name }) => killed.includes(name)).map(({ name }) => name);
  const services = scenario.services.filter(({ name }) => killed.includes(name)).map(({ name }) => name);
  const orphans =
    masters.length > 0
      ? [`The master of ${masters.join(', ')} is among them: from then on its pool serves nobody.`]
      : [];
  const gone =
    services.length > 0
      ? [
          `${services.join(', ')} ${services.length === 1 ? 'is' : 'are'} among them and not started again: what comes later is without ${services.length === 1 ? 'it' : 'them'}.`,
        ]
      : [];
  const sentences = [
    `From ${durationText(firstKill.atUs)} on the kernel kills (${namesText(figures, [...services, ...masters])}), since ${whereText(firstKill, figures)}.`,
    whatText(firstKill),
    ...progressText(firstKill),
    ...because,
    ...lostText(figures),
    ...raiseText(firstKill, figures, scenario, knownBytes),
    ...orphans,
    ...gone,
  ];
  return [{ severity: 'fails', about: firstKill.group ?? 'machine', text: sentences.join(' ') }];
}

/** In a few words. */
export function killedText(figures: FleetFigures): string | null {
  const { firstKill, lostRequests } = figures;
  if (!firstKill) return null;
  const where = firstKill.group === undefined ? 'all memory' : `memory.max of ${firstKill.group}`;
  const lost = lostRequests > 0 ? `; ${counted(lostRequests, 'request')} lost` : '';
  return `killed for want of ${where}, from ${durationText(firstKill.atUs)} on: ${namesText(figures, [])}${lost}`;
}

function lostText({ lostRequests }: FleetFigures): string[] {
  if (lostRequests === 0) return [];
  return [
    `${counted(lostRequests, 'request')} ${lostRequests === 1 ? 'was' : 'were'} lost with those who served them.`,
  ];
}

/** Each once; whose end weighs most comes first. */
function namesText({ killed, killsOf }: FleetFigures, heavy: readonly string[]): string {
  const ordered = [...heavy, ...killed.filter((name) => !heavy.includes(name))];
  const told = ordered.slice(0, NAMES).map((name) => (killsOf[name]! > 1 ? `${name} ${killsOf[name]} times` : name));
  const rest = ordered.slice(NAMES).reduce((sum, name) => sum + killsOf[name]!, 0);
  return rest > 0 ? `${told.join(', ')}, others ${counted(rest, 'time')}` : told.join(', ');
}

function whereText({ group }: KillFigures, figures: FleetFigures): string {
  const own = figures.groups.find(({ name }) => name === group);
  if (own) return `the memory.max of ${own.name} (${bytes(own.maxBytes ?? 0)}) was reached`;
  const swap = figures.swapBytes > 0 ? ` and its swap (${bytes(figures.swapBytes)}) were` : ' was';
  return `the machine's memory (${bytes(figures.totalBytes)})${swap} used up`;
}

/** Whether a higher memory.max is a remedy: what it would have to be at least, and whether the machine has that. */
function raiseText(kill: KillFigures, figures: FleetFigures, scenario: Scenario, knownBytes: number): string[] {
  const own = figures.groups.find(({ name }) => name === kill.group);
  if (!own || own.maxBytes === null) return [];
  const burst = kill.inProgress.reduce((sum, one) => sum + one.bytes, 0);
  const filling = figures.pools.flatMap(({ growing }, i) =>
    isWithin(scenario.pools[i]!.group, own.name)
      ? growing.filter(({ atKillBytes, sizeBytes }) => atKillBytes < sizeBytes)
      : [],
  );
  const toFill = filling.reduce((sum, { sizeBytes, atKillBytes }) => sum + sizeBytes - atKillBytes, 0);
  const least = Math.max(knownBytes, own.maxBytes + Math.max(0, burst - kill.roomBytes)) + toFill;
  const room = `The machine had ${bytes(kill.availableBytes)} available then`;
  const trial = scenario.pools.length > 0 ? 'sim plan tries what is enough' : 'a setting with more tries it';
  if (least <= own.maxBytes) return [`${room}; what memory.max would be enough this run does not tell: ${trial}.`];
  if (least - own.maxBytes > kill.availableBytes)
    return [`${room}: not enough to raise memory.max to the ${atLeastText(least)} that are needed at least.`];
  const climbing = figures.pools.filter(
    ({ climbedPerHourBytes }, i) => climbedPerHourBytes > 0 && isWithin(scenario.pools[i]!.group, own.name),
  );
  const until = filling.length > 0 ? ` (until ${filling.map(({ name }) => name).join(' and ')} is full)` : '';
  const more = `raising memory.max by ${atLeastText(least - own.maxBytes)}, to at least ${atLeastText(least)}${until},`;
  // A known ceiling is what a climb comes to.
  if (climbing.length === 0 || knownBytes === least) return [`${room}: ${more} is one remedy (${trial}).`];
  const climb = climbing.map(({ name, climbedPerHourBytes: perHour }) => `${name}, by ${bytes(perHour)} an hour`);
  return [`${room}: ${more} only puts it off, since what workers hold climbed until then (${climb.join('; ')}).`];
}

/** What the memory that ran short was made of, and who asked. */
function whatText(kill: KillFigures): string {
  const { victim, victimBytes, victimRequest, asker, askerRequest } = kill;
  const parts = (
    [
      ['anonymous memory', kill.anonBytes],
      ['shared memory', kill.shmemBytes],
      ['page cache', kill.cacheBytes],
      ['the kernel’s own', kill.kernelBytes],
    ] as const
  ).map(([what, size]) => `${bytes(size)} ${what}`);
  const who = (name: string, request: string | undefined) => (request ? `${name}, serving ${request},` : name);
  const chosen = `the highest oom_score, which goes by memory (${bytes(victimBytes)} resident)`;
  const how =
    asker === undefined
      ? `${who(victim, victimRequest)} had ${chosen}.`
      : asker === victim
        ? `${who(asker, askerRequest)} asked for the page that was not there, and had itself ${chosen}.`
        : `${who(asker, askerRequest)} asked for the page that was not there; ${who(victim, victimRequest)} had ${chosen}.`;
  return `At that moment it held ${parts.join(', ')}. ${how}`;
}

function progressText(kill: KillFigures): string[] {
  const { inProgress, roomBytes, group } = kill;
  const all = inProgress.reduce((sum, one) => sum + one.bytes, 0);
  if (all === 0) return [];
  const list = inProgress
    .slice(0, 3)
    .map(
      ({ request, count: number, bytes: need, mostBytes }) =>
        `${count(number)} ${request} (${bytes(need)}${number > 1 ? `, ${bytes(mostBytes)} the largest` : ''})`,
    );
  const [main] = inProgress;
  const before = `the sample before had room for ${bytes(roomBytes)} in ${group ?? 'all memory and swap'}`;
  // Beside the others that are in progress.
  const atOnce = Math.max(0, Math.floor((roomBytes - (all - main!.bytes)) / main!.mostBytes));
  const fits =
    main!.bytes > MAIN_SHARE * all && main!.count > 1 && all > roomBytes
      ? `, enough for ${atOnce === 0 ? 'none' : `about ${count(atOnce)}`} of ${main!.request} at a time`
      : '';
  const isOne = inProgress.length === 1 && main!.count === 1;
  const needText = isOne
    ? `In progress was 1 ${main!.request}, which needs ${bytes(all)} at its peak beyond what its worker keeps`
    : `In progress were ${list.join(', ')}, each counted with its peak: they need ${bytes(all)} beyond what their workers keep`;
  return [`${needText}, and ${before}${fits}.`, ...passedText(kill, all)];
}

/** Why what came before did not kill anybody. */
function passedText({ passed, roomBytes }: KillFigures, bytesNeeded: number): string[] {
  if (!passed) return [];
  const before = `Before, ${bytes(passed.bytes)} was the most that was needed at once (at ${durationText(passed.atUs)}, with room for ${bytes(passed.roomBytes)}), and passed`;
  const isMore = bytesNeeded > CLEARLY * passed.bytes;
  const isTighter = roomBytes * CLEARLY < passed.roomBytes;
  if (isMore && isTighter) return [`${before}: this time more was needed, and there was less room.`];
  if (isMore) return [`${before}: this time more came together.`];
  if (isTighter) return [`${before}: this time there was less room.`];
  return [`${before}; this time it was hardly different: it stood at the edge.`];
}
