import { bytes } from '../../sim/contract/format.ts';
import { durationUs, sizeBytes } from '../scenario/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures, GroupFigures, Series } from './figures.ts';
import type { Finding, Severity } from './finding.ts';

/** Less than this share of the limit is hardly anything. */
const LITTLE = 0.05;

type SnapshotService = Scenario['services'][number];

/** A service that forks for its snapshot: what both processes need together, and whether that is there beside the rest. */
export function snapshotFinding(series: Series, service: SnapshotService, figures: FleetFigures): Finding {
  const { name, snapshot } = service;
  const own = sizeBytes(service.anonymous)!;
  const copies = copiesOf(service);
  const group = figures.groups.find(
    (one) => one.maxBytes !== null && (service.group === one.name || service.group?.startsWith(`${one.name}/`)),
  );
  const limit = Math.min(group?.maxBytes ?? Infinity, figures.totalBytes);
  const met = restAtWorst(service, figures, group);
  const [first] = group ? group.firmBytes.values : figures.usedBytes.values;
  const rest = met ?? Math.max(0, first! - series.values[0]!);
  const left = limit - own - copies - rest;
  const where = group ? `memory.max of ${group.name}` : 'the machine';
  const wasKilled = figures.killed.some((one) => one === name || one === `${name}-snapshot`);
  const most = group ? group.peakBytes : figures.totalBytes - figures.lowestAvailableBytes;
  const severity: Severity = wasKilled ? 'fails' : left < LITTLE * limit || most > 0.9 * limit ? 'watch' : 'fine';
  const swap =
    left < 0 && figures.swapBytes > 0 ? `, to be swapped out where swap (${bytes(figures.swapBytes)}) has room` : '';
  const verdict =
    left < 0
      ? `${bytes(-left)} are missing${swap}`
      : `${bytes(left)} are left${left < LITTLE * limit ? ', which is hardly anything' : ''}`;
  const others = `${bytes(rest)} for all else there${met === undefined ? '' : ' at the worst moment (page tables, and what whole huge pages take beyond what was written, among it)'}`;
  const text = `${name} forks a child for its snapshot every ${snapshot!.every}. The child shares the ${bytes(own)} at first: RSS counts it twice (${bytes(series.trend.highestBytes)} at most in both together at a sample), memory does not. What the parent writes meanwhile is copied: ${writtenText(service)}, so both together need ${bytes(own + copies)} by the end of a snapshot. With ${others} that is ${bytes(own + copies + rest)} of the ${bytes(limit)} of ${where}: ${verdict}.`;
  const advice = severity === 'fine' ? '' : ` ${adviceText(service, limit - own - rest, limit)}`;
  return { severity, about: name, text: `${text}${advice}` };
}

/** `roomBytes`: for copies. `limitBytes`: all that there is now. */
function adviceText(service: SnapshotService, roomBytes: number, limitBytes: number): string {
  const own = sizeBytes(service.anonymous)!;
  const seconds = durationUs(service.snapshot!.takes)! / 1e6;
  if (roomBytes <= 0) return 'It does not fit even without writes: give it more memory, or less to keep.';
  const everything = `Room for a copy of all of it (${bytes(own)}, ${bytes(own - roomBytes)} more than there is) is enough whatever is written: that takes ${bytes(limitBytes + own - roomBytes)} in all.`;
  if (roomBytes >= own)
    return `There is room for a copy of all of it (${bytes(own)}), which is enough whatever is written.`;
  const writes = (-own * Math.log(1 - roomBytes / own)) / seconds;
  return `There is room for ${bytes(roomBytes)} of copies, which is used up, with nothing left, by ${bytes(writes)} a second over the ${Math.round(seconds)} s of a snapshot, or by ${bytes(roomBytes / seconds)} a second if no page is written twice (the scenario says ${bytes(sizeBytes(service.snapshot!.writes)!)} a second). ${everything}`;
}

/** What is written in a snapshot, and why less than that is copied. */
function writtenText(service: SnapshotService): string {
  const { writes, takes } = service.snapshot!;
  const seconds = durationUs(takes)! / 1e6;
  const written = sizeBytes(writes)! * seconds;
  return `of ${bytes(written)} (${bytes(sizeBytes(writes)!)} a second for ${Math.round(seconds)} s), at places drawn evenly, some goes to pages that were copied before, and ${bytes(copiesOf(service))} are copies (size × (1 − e^(−written / size)))`;
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
  const both = sizeBytes(service.anonymous)! + copiesOf(service);
  if (moment.services[place]!.pssBytes < ITS_END * both) return undefined;
  return (group ? group.mostFirmBytes : figures.totalBytes - figures.lowestAvailableBytes) - both;
}

/** Copies that the parent has made when a snapshot ends: its writes at places drawn evenly. */
function copiesOf({ anonymous, snapshot }: SnapshotService): number {
  const all = sizeBytes(anonymous)!;
  const written = (sizeBytes(snapshot!.writes)! * durationUs(snapshot!.takes)!) / 1e6;
  return all === 0 ? 0 : all * (1 - Math.exp(-written / all));
}
