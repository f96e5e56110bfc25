import { UserError } from '../../sim/contract/assert.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { BREATH_STEPS } from '../../workloads/breathing.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { arrivalLogs, type FleetSources, type LogText } from '../scenario/sources.ts';
import { LOG_TIMES, type LogLine, parseLogLine } from './log-line.ts';

/** What a log gave. */
export interface LogUse {
  /** As the scenario names it. */
  readonly name: string;
  /** Requests that arrive by it. */
  readonly requests: number;
  /** Lines that are none: no request matches them, and the scenario says that such are left out. */
  readonly unmatched: number;
  /** … that are before the scenario's start, and after its end. */
  readonly early: number;
  readonly late: number;
  /** Of what arrives by it: the last one. */
  readonly lastUs: number;
  /** When the scenario begins, since 1970 (UTC); null: its times are from the scenario's start. */
  readonly originUs: number | null;
}

export interface LogArrivals {
  /** By the number of the request: its times, ascending. */
  readonly timesUs: ReadonlyMap<number, Float64Array>;
  readonly uses: readonly LogUse[];
}

/** Longer pieces of a line do not help in a message. */
const SHOWN = 80;

/**
 * The arrivals of all requests that come by logs.
 *
 *   line ── time ── request ──► the first of the log's requests whose `match` finds something in it,
 *                               else one of those that take the rest, drawn by `share`, else left out or a mistake
 *
 * Lines of a log that tells whole seconds are spread evenly over their second, in the order of the file.
 * @throws UserError for a log that cannot be read, with file and line for a line that cannot.
 */
export function* logArrivals(scenario: Scenario, sources: FleetSources): Generator<void, LogArrivals> {
  const takers = takersOf(scenario, sources);
  const logs: { taken: readonly Taken[]; unmatched: number; log: LogText; isDated: boolean }[] = [];
  const matched = new Set<number>();
  for (const { log, own } of takers.values()) {
    const lines = yield* linesOf(log);
    const { taken, unmatched } = yield* requestsOf(log, lines, own, scenario, matched);
    logs.push({ taken, unmatched, log, isDated: lines[0]?.isDated ?? false });
  }
  demandMatches(scenario, matched);
  const originUs = originOf(scenario, logs);
  const times = new Map<number, number[]>();
  const uses: LogUse[] = [];
  for (const { taken, unmatched, log, isDated } of logs) {
    const use = { requests: 0, early: 0, late: 0, lastUs: 0 };
    for (const { us, request } of taken) {
      const atUs = isDated ? us - originUs : us;
      if (atUs < 0) use.early++;
      else if (atUs >= scenario.durationUs) use.late++;
      else {
        use.requests++;
        use.lastUs = Math.max(use.lastUs, atUs);
        const own = times.get(request) ?? [];
        own.push(atUs);
        times.set(request, own);
      }
    }
    uses.push({ name: log.name, ...use, unmatched, originUs: isDated ? originUs : null });
  }
  if (uses.length > 0 && times.size === 0) {
    const sum = (of: (use: LogUse) => number) => uses.reduce((all, use) => all + of(use), 0);
    const found = `${sum(({ early }) => early)} lines before the start, ${sum(({ late }) => late)} after the end`;
    const names = [...takers.values()].map(({ log }) => log.path).join(', ');
    throw new UserError(`${names}: found ${found}, expected some within the ${scenario.duration} of the scenario`);
  }
  const timesUs = new Map([...times].map(([request, own]) => [request, Float64Array.from(own).sort()]));
  return { timesUs, uses };
}

/** A request that comes by a log. */
interface Taker {
  readonly request: number;
  readonly match: RegExp | undefined;
  readonly share: number;
}

function takersOf(scenario: Scenario, sources: FleetSources): Map<string, { log: LogText; own: Taker[] }> {
  const takers = new Map<string, { log: LogText; own: Taker[] }>();
  for (const [request, { match, share = match === undefined ? 1 : 0 }] of scenario.requests.entries()) {
    for (const log of arrivalLogs(request, scenario, sources)) {
      const known = takers.get(log.path) ?? { log, own: [] };
      known.own.push({ request, match: match === undefined ? undefined : new RegExp(match), share });
      takers.set(log.path, known);
    }
  }
  return takers;
}

interface NumberedLine extends LogLine {
  readonly number: number;
}

function* linesOf({ path, text }: LogText): Generator<void, NumberedLine[]> {
  const lines: NumberedLine[] = [];
  let number = 0;
  for (let from = 0; from < text.length; ) {
    if (++number % BREATH_STEPS === 0) yield;
    const end = text.indexOf('\n', from);
    const line = text.slice(from, end < 0 ? text.length : end).trim();
    from = end < 0 ? text.length : end + 1;
    if (line === '' || line.startsWith('#')) continue;
    const read = parseLogLine(line);
    if (!read) throw new UserError(`${path}:${number}: found '${shown(line)}', expected a time such as ${LOG_TIMES}`);
    const first = lines[0];
    if (first && first.isDated !== read.isDated)
      throw new UserError(
        `${path}:${number}: found '${shown(line)}', expected ${first.isDated ? 'a date' : 'seconds from the start'} as in line ${first.number}`,
      );
    lines.push({ ...read, number });
  }
  return spread(lines);
}

const shown = (line: string) => (line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line);

/** Whole seconds are when something was written down: what came within one came one after another. */
function spread(lines: NumberedLine[]): NumberedLine[] {
  const all = new Map<number, number>();
  for (const { us, isWhole } of lines) if (isWhole) all.set(us, (all.get(us) ?? 0) + 1);
  const before = new Map<number, number>();
  return lines.map((line) => {
    if (!line.isWhole) return line;
    const place = before.get(line.us) ?? 0;
    before.set(line.us, place + 1);
    return { ...line, us: line.us + Math.floor((1e6 * place) / all.get(line.us)!) };
  });
}

interface Taken {
  readonly us: number;
  readonly request: number;
}

function* requestsOf(
  { path, name }: LogText,
  lines: readonly NumberedLine[],
  own: readonly Taker[],
  scenario: Scenario,
  matched: Set<number>,
): Generator<void, { taken: Taken[]; unmatched: number }> {
  const random = createRandom(scenario.seed, `fleet/log/${name}`);
  const taken: Taken[] = [];
  let unmatched = 0;
  for (const [i, { us, target, number }] of lines.entries()) {
    if (i % BREATH_STEPS === 0) yield;
    const match = own.find((taker) => taker.match?.test(target));
    if (match) matched.add(match.request);
    const taker = match ?? drawn(own, random);
    if (taker) taken.push({ us, request: taker.request });
    else if (scenario.logs.unmatched === 'ignore') unmatched++;
    else
      throw new UserError(
        `${path}:${number}: found '${shown(target)}', which no request of this log matches; expected one that does or has a share, or logs.unmatched: ignore`,
      );
  }
  return { taken, unmatched };
}

/** A pattern that finds nothing is more likely a mistake than a request that nobody made. */
function demandMatches({ requests, placeOf }: Scenario, matched: ReadonlySet<number>): void {
  for (const [i, { match, log }] of requests.entries()) {
    if (match === undefined || matched.has(i)) continue;
    const at = ['requests', i, 'match'];
    throw new UserError(
      `${placeOf(at)}: ${at.join('.')}: found '${match}', which matches no line of ${[log].flat().join(', ')}`,
    );
  }
}

/** One of those that take what nothing matches; undefined: nobody does. */
function drawn(own: readonly Taker[], random: Random): Taker | undefined {
  const all = own.reduce((sum, { share }) => sum + share, 0);
  if (all === 0) return undefined;
  let left = random.next() * all;
  const takers = own.filter(({ share }) => share > 0);
  return takers.find(({ share }) => (left -= share) < 0) ?? takers.at(-1);
}

/** When the scenario begins: as it says, or with the earliest line that is a request. */
function originOf(
  { logs: { start } }: Scenario,
  logs: readonly { taken: readonly Taken[]; isDated: boolean }[],
): number {
  if (start !== undefined) return parseLogLine(start)!.us;
  let earliest = Infinity;
  for (const { taken, isDated } of logs) if (isDated) for (const { us } of taken) earliest = Math.min(earliest, us);
  return earliest;
}
