import { bytes } from '../../sim/contract/format.ts';
import { durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import { isWithin } from '../machine/worst-moments.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding, Severity } from './finding.ts';
import { FORECAST_LENGTHS, roughTime } from './forecast.ts';
import type { GroupFigures } from './group-figures.ts';
import type { Series } from './series.ts';
import { atLeastText, atMostText } from './settable.ts';

/** Less than this share of the limit is hardly anything. */
const LITTLE = 0.05;
const PAGE = 4096;

type SnapshotService = Scenario['services'][number];

/** `hugePages`: whether it may have them. A service that forks for its snapshot: what both processes need together, and whether that is there beside the rest. */
export function snapshotFinding(
  series: Series,
  service: SnapshotService,
  figures: FleetFigures,
  hugePages: boolean,
): Finding {
  const { name, snapshot } = service;
  const { group, own, copies, rest, isMet } = needOf(series, service, figures);
  const limit = Math.min(group?.maxBytes ?? Infinity, figures.totalBytes);
  const left = limit - own - copies - rest;
  const where = group ? `memory.max of ${group.name}` : 'the machine';
  const wasKilled = figures.killed.some((one) => one === name || one === `${name}-snapshot`);
  const most = group ? group.peakBytes : figures.totalBytes - figures.lowestAvailableBytes;
  const growth = growthOf(service, limit - rest, figures);
  const severity: Severity = wasKilled
    ? 'fails'
    : growth?.course !== undefined
      ? 'ends'
      : left < LITTLE * limit || most > 0.9 * limit
        ? 'watch'
        : 'fine';
  const swap =
    left < 0 && figures.swapBytes > 0 ? `, to be swapped out where swap (${bytes(figures.swapBytes)}) has room` : '';
  const verdict =
    left < 0
      ? `${bytes(-left)} are missing${swap}`
      : `${bytes(left)} are left${left < LITTLE * limit ? ', which is hardly anything' : ''}`;
  const others = `${bytes(rest)} for all else there${!isMet ? '' : ` at the worst moment (page tables${hugePages ? ', and what whole huge pages take beyond what was written,' : ''} among it)`}`;
  const text = `${name} forks a child for its snapshot every ${snapshot!.every}. The child shares the ${bytes(own)} at first${growth?.since ?? ''}: RSS counts it twice (${bytes(series.trend.highestBytes)} at most in both together at a sample), memory does not. What the parent writes meanwhile is copied: ${writtenText(service, own)}, so both together need ${bytes(own + copies)} by the end of a snapshot. With ${others} that is ${bytes(own + copies + rest)} of the ${bytes(limit)} of ${where}: ${verdict}.${growth?.text ?? ''}`;
  const advice = severity === 'fine' ? '' : ` ${adviceText(service, own, limit - own - rest, limit)}`;
  const course = growth?.course === undefined ? {} : { course: `climbs to ${where} ${growth.course}` };
  return { severity, about: name, text: `${text}${advice}`, ...course };
}

/** What a snapshot of a service needs of a group's limit, with all else there; 0: it is not of the group, or makes none. */
export function snapshotNeed(series: Series, service: SnapshotService, figures: FleetFigures, group: string): number {
  if (!service.snapshot) return 0;
  const need = needOf(series, service, figures);
  return need.group?.name === group ? need.own + need.copies + spreadOf(service, need.own) + need.rest : 0;
}

/** `rest`: of all else there; `isMet`: as it was at the worst moment. */
function needOf(series: Series, service: SnapshotService, figures: FleetFigures) {
  const group = figures.groups.find(({ name, maxBytes }) => maxBytes !== null && isWithin(service.group, name));
  const worst = group ? figures.lowestInGroup : figures.lowest;
  const met = restAtWorst(service, figures, group);
  const endUs = figures.timesUs.at(-1)!;
  const own = ownAt(service, figures.firstKill?.atUs ?? (met === undefined ? endUs : worst!.atUs));
  const [first] = group ? group.firmBytes.values : figures.usedBytes.values;
  const rest = met ?? Math.max(0, first! - series.values[0]!, restAtKill(service, figures, group));
  return { group, own, copies: copiesOf(service, own), rest, isMet: met !== undefined };
}

/** What all else had when somebody was killed first for want of the same memory: page tables of both processes among it. */
function restAtKill(service: SnapshotService, { firstKill, services, totalBytes }: FleetFigures, group?: GroupFigures) {
  if (!firstKill || firstKill.group !== group?.name) return 0;
  const own = firstKill.services[services.findIndex(({ name }) => name === service.name)]!.pssBytes;
  const held = group
    ? firstKill.anonBytes + firstKill.shmemBytes + firstKill.kernelBytes
    : totalBytes - firstKill.availableBytes;
  return held - own;
}

/** What it has by a time, as the scenario says it. */
const ownAt = ({ anonymous, grows, every }: SnapshotService, us: number): number =>
  sizeBytes(anonymous)! + sizeBytes(grows)! * Math.floor(us / durationUs(every)!);

/** For a service that takes more and more: since when it has what it has, and when a snapshot has no room any more. */
function growthOf(service: SnapshotService, roomBytes: number, figures: FleetFigures) {
  const grows = sizeBytes(service.grows)!;
  if (grows === 0) return undefined;
  const since = ` (${bytes(sizeBytes(service.anonymous)!)} at the start, ${bytes(grows)} more every ${service.every})`;
  if (figures.kills > 0) return { since, text: '', course: undefined };
  const step = durationUs(service.every)!;
  const endUs = figures.timesUs.at(-1)!;
  const lastUs = endUs + FORECAST_LENGTHS * endUs;
  for (let us = endUs; us <= lastUs; us += step) {
    const own = ownAt(service, us);
    if (own + copiesOf(service, own) <= roomBytes) continue;
    const course = us === endUs ? 'now' : `about ${roughTime(us - endUs)} after the end`;
    const when = us === endUs ? 'from now on' : `from about ${roughTime(us - endUs)} after the end of this run on`;
    return {
      since,
      text: ` It gives nothing back: ${when} a snapshot has no room any more (its data are ${bytes(own)} then, ${bytes(own + copiesOf(service, own))} with the copies).`,
      course,
    };
  }
  return { since, text: ' It gives nothing back.', course: undefined };
}

/** `roomBytes`: for copies. `limitBytes`: all that there is now. */
function adviceText(service: SnapshotService, own: number, roomBytes: number, limitBytes: number): string {
  const seconds = durationUs(service.snapshot!.takes)! / 1e6;
  const most = `At that rate of writes there is room for data of at most ${atMostText(mostData(service, own + roomBytes))} (Redis: maxmemory).`;
  if (roomBytes <= 0) return `It does not fit even without writes: give it more memory, or less to keep. ${most}`;
  const everything = `Room for a copy of all of it (${bytes(own)}, ${bytes(own - roomBytes)} more than there is) is enough whatever is written: that takes ${atLeastText(limitBytes + own - roomBytes)} in all.`;
  if (roomBytes >= own)
    return `There is room for a copy of all of it (${bytes(own)}), which is enough whatever is written.`;
  const writes = (-own * Math.log(1 - roomBytes / own)) / seconds;
  return `There is room for ${bytes(roomBytes)} of copies, which is used up, with nothing left, by ${bytes(writes)} a second over the ${Math.round(seconds)} s of a snapshot, or by ${bytes(roomBytes / seconds)} a second if no page is written twice (the scenario says ${bytes(sizeBytes(service.snapshot!.writes)!)} a second). ${most} ${everything}`;
}

/** The most that fits with its copies. */
function mostData(service: SnapshotService, roomBytes: number): number {
  let [fits, tooMuch] = [0, roomBytes];
  while (tooMuch - fits > 4096) {
    const middle = (fits + tooMuch) / 2;
    if (middle + copiesOf(service, middle) + spreadOf(service, middle) <= roomBytes) fits = middle;
    else tooMuch = middle;
  }
  return fits;
}

/** What is written in a snapshot, and why less than that is copied. */
function writtenText(service: SnapshotService, own: number): string {
  const { writes, takes } = service.snapshot!;
  const seconds = durationUs(takes)! / 1e6;
  const written = sizeBytes(writes)! * seconds;
  return `of ${bytes(written)} (${bytes(sizeBytes(writes)!)} a second for ${Math.round(seconds)} s), at places drawn evenly, some goes to pages that were copied before, and ${bytes(copiesOf(service, own))} are copies (size × (1 − e^(−written / size)))`;
}

/** By its end so much of what a snapshot needs is there. */
const ITS_END = 0.99;

/** What all else needed at the worst moment, where that was at the end of a snapshot of this service. */
function restAtWorst(
  service: SnapshotService,
  figures: FleetFigures,
  group: GroupFigures | undefined,
): number | undefined {
  const moment = group ? figures.lowestInGroup : figures.lowest;
  if (!moment || (group && figures.lowestInGroup!.group !== group.name)) return undefined;
  const place = figures.services.findIndex(({ name }) => name === service.name);
  const own = ownAt(service, moment.atUs);
  const both = own + copiesOf(service, own);
  if (moment.services[place]!.pssBytes < ITS_END * both) return undefined;
  return (group ? group.mostFirmBytes : figures.totalBytes - figures.lowestAvailableBytes) - both;
}

/** Copies that the parent has made of so much when a snapshot ends: its writes at places drawn evenly. */
function copiesOf({ snapshot }: SnapshotService, own: number): number {
  const written = (sizeBytes(snapshot!.writes)! * durationUs(snapshot!.takes)!) / 1e6;
  return own === 0 ? 0 : own * (1 - Math.exp(-written / own));
}

/** Copies are drawn: three standard deviations of how many of the N pages W writes meet, N × e^(−W/N) × (1 − (1 + W/N) × e^(−W/N)). */
function spreadOf({ snapshot }: SnapshotService, own: number): number {
  if (own === 0) return 0;
  const perPage = (sizeBytes(snapshot!.writes)! * durationUs(snapshot!.takes)!) / 1e6 / own;
  const missed = Math.exp(-perPage);
  return 3 * PAGE * Math.sqrt((own / PAGE) * missed * (1 - (1 + perPage) * missed));
}
