import { bytes } from '../../sim/contract/format.ts';
import { durationUs, sizeBytes } from '../scenario/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures, Series } from './figures.ts';
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
  const [first] = group ? group.firmBytes.values : figures.usedBytes.values;
  const rest = Math.max(0, first! - series.values[0]!);
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
  const text = `${name} forks a child for its snapshot every ${snapshot!.every}. The child shares the ${bytes(own)} at first: RSS counts it twice (${bytes(series.trend.highestBytes)} at most in both together at a sample), memory does not. What the parent writes meanwhile is copied: ${bytes(copies)} by the end of a snapshot, so both together need ${bytes(own + copies)}. With ${bytes(rest)} for all else there that is ${bytes(own + copies + rest)} of the ${bytes(limit)} of ${where}: ${verdict}.`;
  const advice = severity === 'fine' ? '' : ` ${adviceText(service, limit - own - rest)}`;
  return { severity, about: name, text: `${text}${advice}` };
}

/** `roomBytes`: for copies. */
function adviceText(service: SnapshotService, roomBytes: number): string {
  const own = sizeBytes(service.anonymous)!;
  const seconds = durationUs(service.snapshot!.takes)! / 1e6;
  if (roomBytes <= 0) return 'It does not fit even without writes: give it more memory, or less to keep.';
  const everything = `Room for a copy of all of it (${bytes(own)}) is enough whatever is written.`;
  if (roomBytes >= own) return everything;
  const writes = (-own * Math.log(1 - roomBytes / own)) / seconds;
  return `The copies have ${bytes(roomBytes)}: enough for writes of at most about ${bytes(writes)} a second for the ${Math.round(seconds)} s of a snapshot (said: ${bytes(sizeBytes(service.snapshot!.writes)!)}), with nothing left over. ${everything}`;
}

/** Copies that the parent has made when a snapshot ends: its writes at places drawn evenly. */
function copiesOf({ anonymous, snapshot }: SnapshotService): number {
  const all = sizeBytes(anonymous)!;
  const written = (sizeBytes(snapshot!.writes)! * durationUs(snapshot!.takes)!) / 1e6;
  return all === 0 ? 0 : all * (1 - Math.exp(-written / all));
}
